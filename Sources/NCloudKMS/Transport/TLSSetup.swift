import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// Configures OpenSSL for each connection that an easy handle opens, beyond libcurl's options; and records what OpenSSL
/// reports about the handshake.
final class TLSSetup {
    /// Why a connection can't be set up; nil if it can.
    private(set) var problem: CertificateAuthorities.Problem?
    /// The handshake of the last connection that was begun since `beginTransfer`; nil if a kept one is used.
    private(set) var handshake: Handshake?

    private let authorities: CertificateAuthorities
    /// The generation of the authorities that `handle` is set up for.
    private var generation: Int?
    private var hasTLSProxy = false
    /// Nil: libcurl uses the system's folder.
    private var store: TrustStore?

    init(_ authorities: CertificateAuthorities) {
        self.authorities = authorities
    }

    /// Uses the current authorities.
    ///
    /// - Parameters:
    ///   - hasTLSProxy: whether the service is reached through an HTTPS proxy.
    ///   - apply: receives the folder and the label by which libcurl knows the authorities, if they have changed.
    func beginTransfer(
        hasTLSProxy: Bool, _ apply: (_ folder: String?, _ label: [UInt8]?) throws(TransportFailure) -> Void
    ) throws(TransportFailure) {
        handshake = nil
        self.hasTLSProxy = hasTLSProxy
        let trust = authorities.current()
        guard generation != authorities.generation else { return }
        generation = nil
        (store, problem) = (nil, nil)
        switch trust {
        case .folder(let folder):
            try apply(folder, nil)
        case .store(let new):
            store = new
            try apply(nil, new.label)
        case .unusable(let new):
            problem = new
            // Without a label, libcurl reuses no connection that was opened when there were authorities.
            try apply(nil, nil)
        }
        generation = authorities.generation
    }

    /// Sets up one connection, to the service or to a proxy.
    ///
    /// - Parameter context: an `SSL_CTX *`.
    fileprivate func setUp(_ context: OpaquePointer) -> CURLcode {
        guard problem == nil else { return CURLE_SSL_CACERT_BADFILE }
        let handshake = Handshake()
        guard handshake.attach(to: context) else { return CURLE_OUT_OF_MEMORY }
        self.handshake = handshake
        if let store { SSL_CTX_set1_cert_store(context, store.handle) }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, certificateWasChecked)
        SSL_CTX_set_client_cert_cb(context, certificateWasDemanded)
        // Otherwise OpenSSL keeps reading after each record without data, as long as they arrive: endless session
        // tickets would block all other transfers. But it must keep reading if the next record may already be in the
        // proxy's TLS: then no event on the socket would give the transfer its next turn.
        if hasTLSProxy {
            SSL_CTX_set_info_callback(context, tlsHasStepped)
        } else {
            SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil)
        }
        return CURLE_OK
    }
}

/// The events of one connection's handshakes. It belongs to the connection's `SSL_CTX`, which may outlive the transfer
/// that opened it.
final class Handshake {
    /// The distance of the refused certificate from the server's own, which has 0; nil if none was refused.
    fileprivate(set) var depthOfRefusal: Int?
    /// Whether the server requested a certificate, which we don't have.
    fileprivate(set) var wasAskedForCertificate = false
    /// Whether an authority was not found, and no file could have been opened to find it.
    fileprivate(set) var lackedDescriptors = false
    fileprivate var steps = 0
    /// Several times what a handshake with its session tickets needs.
    fileprivate static let mostSteps = 256

    private static let index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nil, nil, nil, contextWasFreed)

    fileprivate func attach(to context: OpaquePointer) -> Bool {
        let reference = Unmanaged.passRetained(self)
        guard Self.index >= 0, SSL_CTX_set_ex_data(context, Self.index, reference.toOpaque()) == 1 else {
            reference.release()
            return false
        }
        return true
    }

    /// - Parameter connection: an `SSL *`.
    fileprivate static func of(_ connection: OpaquePointer?) -> Handshake? {
        guard let connection, let context = SSL_get_SSL_CTX(connection),
            let handshake = SSL_CTX_get_ex_data(context, index)
        else { return nil }
        return Unmanaged<Handshake>.fromOpaque(handshake).takeUnretainedValue()
    }
}

// Callbacks of libcurl and OpenSSL. None throws or traps.

/// libcurl has created an `SSL_CTX` for a connection, and is about to use it.
nonisolated func curlIsAboutToSetUpTLS(
    _ handle: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?, _ setup: UnsafeMutableRawPointer?
) -> CURLcode {
    guard let context, let setup else { return CURLE_SSL_CONNECT_ERROR }
    return Unmanaged<TLSSetup>.fromOpaque(setup).takeUnretainedValue().setUp(OpaquePointer(context))
}

/// OpenSSL has checked a certificate of the chain.
///
/// - Returns: 1 to continue, 0 to refuse the chain.
private nonisolated func certificateWasChecked(_ isGood: CInt, _ check: OpaquePointer?) -> CInt {
    guard let check,
        let connection = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()),
        let handshake = Handshake.of(OpaquePointer(connection))
    else { return 0 }
    let depth = Int(X509_STORE_CTX_get_error_depth(check))
    guard isGood == 1 else {
        handshake.depthOfRefusal = depth
        handshake.lackedDescriptors = Descriptors.areExhausted
        return 0
    }
    // Otherwise libcurl would look for the host in the common name, which RFC 9110 (section 4.3.4) does not allow.
    if depth == 0, !hasAlternativeName(X509_STORE_CTX_get_current_cert(check)) {
        handshake.depthOfRefusal = depth
        X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION)
        return 0
    }
    return 1
}

/// Whether a certificate names a host or address in its `subjectAltName`.
private nonisolated func hasAlternativeName(_ certificate: OpaquePointer?) -> Bool {
    guard let certificate, let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
        return false
    }
    let stack = OpaquePointer(names)
    defer { GENERAL_NAMES_free(stack) }
    return (0..<OPENSSL_sk_num(stack)).contains { index in
        guard let name = OPENSSL_sk_value(stack, index) else { return false }
        let type = name.assumingMemoryBound(to: GENERAL_NAME.self).pointee.type
        return type == GEN_DNS || type == GEN_IPADD
    }
}

/// The server requests a certificate.
///
/// - Returns: 0, because there is none.
private nonisolated func certificateWasDemanded(
    _ connection: OpaquePointer?, _ certificate: UnsafeMutablePointer<OpaquePointer?>?,
    _ key: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    Handshake.of(connection)?.wasAskedForCertificate = true
    return 0
}

/// OpenSSL has read or written a handshake message or an alert. After too many of them it stops reading ahead, so that
/// a peer that sends them blocks only its own transfer.
private nonisolated func tlsHasStepped(_ connection: OpaquePointer?, _ step: CInt, _ value: CInt) {
    guard let connection, let handshake = Handshake.of(connection) else { return }
    handshake.steps += 1
    if handshake.steps == Handshake.mostSteps {
        SSL_ctrl(connection, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil)
    }
}

/// OpenSSL frees an `SSL_CTX`; it has a handshake attached if it is one of ours.
private nonisolated func contextWasFreed(
    _ context: UnsafeMutableRawPointer?, _ handshake: UnsafeMutableRawPointer?,
    _ data: UnsafeMutablePointer<CRYPTO_EX_DATA>?, _ index: CInt, _ argument: Int, _ pointer: UnsafeMutableRawPointer?
) {
    if let handshake { Unmanaged<Handshake>.fromOpaque(handshake).release() }
}
