import CKMSOpenSSL

/// The certificates of a file of authorities, parsed once for all connections that are checked with them.
final class TrustStore {
    /// Why a text is not a list of authorities.
    enum Problem: Error, Equatable {
        case empty
        /// One certificate in binary form.
        case isDER
        case hasNoCertificate
        case hasDamagedCertificate
        case outOfMemory
    }

    /// An `X509_STORE *`. It is only read once it is in use.
    let handle: OpaquePointer

    /// One certificate of the file, and the hash of the whole file, as PEM. libcurl gets this as a handle's
    /// authorities, and so does not mix connections and TLS sessions that were checked with different files. The whole
    /// file would have the same effect, but each connection would take 30 ms to parse a system's bundle, and each
    /// transfer would copy it.
    let label: [UInt8]

    /// The number of certificates.
    let count: Int

    /// - Parameter file: PEM as OpenSSL parses it: other text, keys and revocation lists between the certificates are
    ///   skipped, and so is a byte order mark.
    init(_ file: [UInt8]) throws(Problem) {
        guard let store = X509_STORE_new() else { throw .outOfMemory }
        do throws(Problem) {
            (count, label) = try Self.fill(store, with: file)
        } catch {
            // The deinitializer does not run for an object that is not fully initialized.
            X509_STORE_free(store)
            throw error
        }
        handle = store
    }

    deinit {
        X509_STORE_free(handle)
    }

    private static func fill(
        _ store: OpaquePointer, with file: [UInt8]
    ) throws(Problem) -> (count: Int, label: [UInt8]) {
        var first: [UInt8] = []
        // As libcurl does: a certificate of the file is trusted even if it is not a root.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_TRUSTED_FIRST) | UInt(X509_V_FLAG_PARTIAL_CHAIN))
        let text = Array(file.droppingByteOrderMark())
        let count = try forEachCertificate(in: text) { certificate throws(Problem) in
            guard X509_STORE_add_cert(store, certificate) == 1 else { throw .outOfMemory }
            if first.isEmpty { first = try pem(of: certificate) }
        }
        guard count > 0 else { throw problem(ofTextWithoutCertificate: text) }
        return (count, Array("SHA-256 \(sha256(file))\n".utf8) + first)
    }

    /// - Returns: the number of certificates.
    private static func forEachCertificate(
        in text: [UInt8], _ body: (OpaquePointer) throws(Problem) -> Void
    ) throws(Problem) -> Int {
        defer { ERR_clear_error() }
        ERR_clear_error()
        return try text.withUnsafeBufferPointer { text throws(Problem) in
            guard !text.isEmpty else { throw .empty }
            // The memory outlives the BIO, which keeps the pointer.
            guard let bio = BIO_new_mem_buf(text.baseAddress, CInt(clamping: text.count)) else { throw .outOfMemory }
            defer { BIO_free(bio) }
            // Without a passphrase callback OpenSSL would prompt for one on the terminal.
            var noPassphrase: CChar = 0
            var count = 0
            while let certificate = PEM_read_bio_X509_AUX(bio, nil, nil, &noPassphrase) {
                defer { X509_free(certificate) }
                try body(certificate)
                count += 1
            }
            let error = ERR_peek_last_error()
            let isEnd = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
            guard isEnd else { throw .hasDamagedCertificate }
            return count
        }
    }

    private static func problem(ofTextWithoutCertificate text: [UInt8]) -> Problem {
        let certificate = text.withUnsafeBufferPointer { text -> OpaquePointer? in
            var position = text.baseAddress
            return d2i_X509(nil, &position, text.count)
        }
        ERR_clear_error()
        guard let certificate else { return .hasNoCertificate }
        X509_free(certificate)
        return .isDER
    }

    private static func pem(of certificate: OpaquePointer) throws(Problem) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .outOfMemory }
        defer { BIO_free(bio) }
        guard PEM_write_bio_X509(bio, certificate) == 1 else { throw .outOfMemory }
        var pem = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        guard BIO_read(bio, &pem, CInt(pem.count)) == pem.count else { throw .outOfMemory }
        return pem
    }

    private static func sha256(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256(bytes, bytes.count, &digest)
        return digest.hexadecimal
    }
}
