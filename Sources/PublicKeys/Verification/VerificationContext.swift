import COpenSSL

/// An `EVP_PKEY_CTX` that is set up to verify signatures of one algorithm by one key.
struct VerificationContext: ~Copyable {
    private let context: OpaquePointer

    /// Nil if OpenSSL refuses. The context holds a reference of its own to the key.
    init?(key: EVPKey, algorithm: SignatureAlgorithm) {
        guard let context = EVP_PKEY_CTX_new(key.pointer, nil) else {
            ERR_clear_error()
            return nil
        }
        guard Self.configure(context, for: algorithm) else {
            EVP_PKEY_CTX_free(context)
            ERR_clear_error()
            return nil
        }
        self.context = context
    }

    deinit {
        EVP_PKEY_CTX_free(context)
    }

    private static func configure(_ context: OpaquePointer, for algorithm: SignatureAlgorithm) -> Bool {
        guard EVP_PKEY_verify_init(context) == 1 else { return false }
        // For PSS this sets the hash of MGF1 as well.
        guard EVP_PKEY_CTX_set_signature_md(context, algorithm.hash.algorithm) == 1 else { return false }
        switch algorithm.scheme {
        case .rsaPKCS1: return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        case .rsaPSS:
            return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO) == 1
        case .ecdsa: return true
        }
    }

    /// - Parameters:
    ///   - signature: for ECDSA, DER. OpenSSL takes strict DER alone here: it writes anew what it read and compares.
    ///   - digest: as long as the algorithm's hash makes them.
    func verify(_ signature: [UInt8], of digest: [UInt8]) -> Bool {
        let status = EVP_PKEY_verify(context, signature, signature.count, digest, digest.count)
        // Below 1 is "wrong" or "malformed"; each leaves its reasons in the queue.
        if status != 1 { ERR_clear_error() }
        return status == 1
    }
}
