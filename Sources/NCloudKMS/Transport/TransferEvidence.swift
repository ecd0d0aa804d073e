import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// What libcurl and our callbacks know about a failed transfer: everything that its failure is derived from.
struct TransferEvidence {
    var code: CURLcode
    /// Scheme, host and port of the service, for the message.
    var service: String
    /// `errno` of the connection; 0 if there is none.
    var systemError: Int32 = 0
    /// `X509_V_ERR_…`; 0 or 1 if the chain was not at fault.
    var certificateError = 0
    /// The distance of that certificate from the server's own, which has 0; nil if it is unknown.
    var depthOfRefusal: Int?
    /// Whether the server requested a client certificate.
    var wasAskedForCertificate = false
    /// Why there were no authorities to check with; nil if there were.
    var authoritiesProblem: String?
    /// Whether OpenSSL has no random numbers, for example because its configuration loads no usable provider.
    var lacksRandomness = false
    /// Like `certificateError`, for an HTTPS proxy's certificate.
    var proxyCertificateError = 0
    /// Whether the request goes through an HTTPS proxy.
    var hasTLSProxy = false
    /// `SSL_R_…`; nil if OpenSSL reported no error.
    var tlsReason: Int32?
    /// The status of the proxy's answer to CONNECT; 0 if there was none.
    var proxyStatus = 0
    /// The host of the proxy; empty if there is none.
    var proxyHost = ""
    /// Whether libcurl's text names the proxy as the host that it connected to.
    var namesProxy = false
    var nameWasResolved = false
    var wasConnected = false
    var requestWasSent = false
    var answerHasBegun = false
    var isTooLarge = false
    /// Whether a proxy's answer to CONNECT was refused for its size, by us or by libcurl.
    var proxyAnswerIsTooLarge = false
    /// Whether the body is not correctly chunked.
    var isMalformed = false
    /// Whether a new connection had an answer on it before the request was sent.
    var wasAnsweredUnasked = false
    /// Whether the process can't open more files and sockets, or could not when the transfer needed one: libcurl does
    /// not distinguish that from other failures.
    var lacksDescriptors = false

    init(code: CURLcode, service: String) {
        self.code = code
        self.service = service
    }

    /// The reason in the code of an OpenSSL error, with which libcurl's texts begin: `error:0A000102:SSL routines::…`.
    ///
    /// The texts differ between versions; the numbers don't. OpenSSL 3 stores the library above the 23 bits of the
    /// reason.
    static func tlsReason(in text: String) -> Int32? {
        let prefix = "error:"
        guard let start = text.utf8.firstRange(of: prefix.utf8)?.upperBound,
            let packed = UInt32(text[start...].prefix(8), radix: 16), packed >> 23 == UInt32(ERR_LIB_SSL)
        else { return nil }
        return Int32(packed & 0x7F_FFFF)
    }

    var phase: TransportFailure.Phase {
        if answerHasBegun { return .receiving }
        if requestWasSent { return .waiting }
        if wasConnected { return .handshake }
        return nameWasResolved ? .connecting : .resolving
    }

    /// The translation of libcurl's codes into ours.
    var kind: TransportFailure.Kind {
        if isTooLarge { return .tooLarge }
        if isMalformed { return .badResponse }
        if wasAnsweredUnasked { return .connectionLost(.unasked) }
        if lacksDescriptors, mayComeOfLackingDescriptors { return .noDescriptor }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return .nameResolution(temporary: Self.mayExist(serviceHost))
        case CURLE_COULDNT_RESOLVE_PROXY: return .proxy(.unresolved(temporary: Self.mayExist(proxyHost)))
        case CURLE_COULDNT_CONNECT: return failureToConnect
        case CURLE_PROXY: return .proxy(.unusable)
        case CURLE_OPERATION_TIMEDOUT: return .timedOut(phase)
        case CURLE_GOT_NOTHING: return .connectionLost(.empty)
        case CURLE_PARTIAL_FILE: return .connectionLost(.cut)
        case CURLE_ABORTED_BY_CALLBACK where proxyAnswerIsTooLarge: return .proxy(.tooLarge)
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR: return loss
        case CURLE_FILESIZE_EXCEEDED: return .tooLarge
        // libcurl 7.88 reports a header line of more than 100 KiB this way.
        case CURLE_OUT_OF_MEMORY where requestWasSent: return .tooLarge
        // It could not create a TLS context.
        case CURLE_OUT_OF_MEMORY where tlsReason != nil: return .untrusted(.ownConfiguration)
        case CURLE_SSL_CONNECT_ERROR: return failureOfHandshake
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            if isProxyAtFault { return .proxy(.untrusted(fault(ofCertificate: proxyCertificateError))) }
            return .untrusted(fault(ofCertificate: certificateError))
        case CURLE_SSL_CACERT_BADFILE:
            return .untrusted(.noAuthorities(authoritiesProblem ?? "its certificate authorities can't be read"))
        case CURLE_SSL_CIPHER: return .untrusted(.noCommonCipher)
        case CURLE_SSL_CERTPROBLEM, CURLE_SSL_CLIENTCERT, CURLE_SSL_INVALIDCERTSTATUS: return .untrusted(.other)
        default: return requestWasSent ? .badResponse : .setup
        }
    }

    /// Whether no other cause is known, and a descriptor was needed.
    private var mayComeOfLackingDescriptors: Bool {
        switch code {
        case CURLE_SSL_CACERT_BADFILE: true
        case CURLE_PEER_FAILED_VERIFICATION: fault(ofCertificate: certificateError) == .unknownAuthority
        case CURLE_COULDNT_RESOLVE_HOST: Self.mayExist(serviceHost)
        case CURLE_COULDNT_RESOLVE_PROXY: Self.mayExist(proxyHost)
        case CURLE_COULDNT_CONNECT: [0, EMFILE, ENFILE].contains(systemError)
        default: false
        }
    }

    private var serviceHost: Substring {
        service.split(separator: "/").last?.prefix { $0 != ":" } ?? ""
    }

    /// `.invalid` never has an address (RFC 6761, section 6.4). libcurl does not distinguish "no such name" from "try
    /// again".
    private static func mayExist(_ host: some StringProtocol) -> Bool {
        let name = host.lowercased()
        return !(name.hasSuffix(".invalid") || name.hasSuffix(".invalid."))
    }

    /// The service is reached only after the proxy has answered CONNECT. The proxy's result stays 0 for a host that is
    /// reached without it.
    private var isProxyAtFault: Bool { hasTLSProxy && proxyStatus == 0 && proxyCertificateError != 0 }

    private var failureToConnect: TransportFailure.Kind {
        if namesProxy { return .proxy(.unreachable) }
        return switch systemError {
        case ECONNREFUSED: .connectionRefused
        case ETIMEDOUT: .timedOut(.connecting)
        default: .unreachable
        }
    }

    private var loss: TransportFailure.Kind {
        // libcurl has no code of its own for a proxy's refusal.
        if proxyStatus != 0, !(200...299).contains(proxyStatus) { return .proxy(.refused(status: proxyStatus)) }
        if proxyAnswerIsTooLarge { return .proxy(.tooLarge) }
        if let tlsReason, let fault = fault(ofTLSReason: tlsReason) { return .untrusted(fault) }
        return switch systemError {
        case ECONNRESET, EPIPE: .connectionLost(.reset)
        case ETIMEDOUT: .timedOut(phase)
        default: .connectionLost(answerHasBegun ? .cut : .closed)
        }
    }

    /// Without an error from OpenSSL the connection was lost during the handshake: not a question of trust.
    private var failureOfHandshake: TransportFailure.Kind {
        if lacksRandomness { return .untrusted(.ownConfiguration) }
        guard let tlsReason, let fault = fault(ofTLSReason: tlsReason) else {
            return switch systemError {
            case ECONNRESET: .connectionLost(.reset)
            case ETIMEDOUT: .timedOut(phase)
            default: .connectionLost(.closed)
            }
        }
        return isProxyAtFault ? .proxy(.untrusted(fault)) : .untrusted(fault)
    }

    private func fault(ofTLSReason reason: Int32) -> TransportFailure.TrustFault? {
        switch reason {
        // A problem of the server, or bytes that the network corrupted: another attempt may succeed.
        case SSL_R_UNEXPECTED_EOF_WHILE_READING, SSL_R_TLSV1_ALERT_INTERNAL_ERROR, SSL_R_TLSV1_ALERT_USER_CANCELLED,
            SSL_R_SSLV3_ALERT_BAD_RECORD_MAC, SSL_R_TLSV1_ALERT_DECRYPTION_FAILED, SSL_R_TLSV1_ALERT_DECRYPT_ERROR,
            SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED,
            SSL_R_APPLICATION_DATA_AFTER_CLOSE_NOTIFY:
            nil
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: .clientCertificateRequired
        // If a certificate is missing, TLS 1.2 only reports that the handshake failed.
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE where wasAskedForCertificate: .clientCertificateRequired
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, SSL_R_NO_SHARED_CIPHER, SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
            .noCommonCipher
        case SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_NO_CIPHERS_AVAILABLE, SSL_R_LIBRARY_HAS_NO_CIPHERS:
            .ownConfiguration
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_WRONG_SSL_VERSION, SSL_R_HTTP_REQUEST, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
            SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_BAD_PACKET_LENGTH:
            .protocolVersion
        default: .other
        }
    }

    private func fault(ofCertificate error: Int) -> TransportFailure.TrustFault {
        let isAuthority = (depthOfRefusal ?? 0) > 0
        let error = Int32(truncatingIfNeeded: error)
        switch error {
        // libcurl checks the host itself, and only if the chain is valid. 1 is its initial value.
        case X509_V_OK, X509_V_ERR_UNSPECIFIED, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .wrongHost
        case X509_V_ERR_APPLICATION_VERIFICATION: return .noAlternativeName
        case X509_V_ERR_CERT_HAS_EXPIRED: return isAuthority ? .expiredAuthority : .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: return isAuthority ? .notYetValidAuthority : .notYetValid
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return .selfSigned
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_INVALID_CA:
            return .unknownAuthority
        // A fixed text for each number.
        default: return .certificate(problem: String(cString: X509_verify_cert_error_string(Int(error))))
        }
    }
}
