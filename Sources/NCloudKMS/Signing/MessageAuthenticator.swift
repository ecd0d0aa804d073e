import COpenSSL

/// HMAC-SHA256 under one key (RFC 2104): an OpenSSL context that is keyed once and started again for each message,
/// which costs a fifth of keying it anew.
///
/// Not for use by two threads at once.
final class MessageAuthenticator {
    static let digestLength = 32

    private let context: OpaquePointer

    /// - Throws: `KMSError` when OpenSSL can't provide HMAC-SHA256, or memory is short.
    init(key: SecretBytes) throws(KMSError) {
        guard let algorithm = EVP_MAC_fetch(nil, "HMAC", nil) else { throw .signingFailed }
        defer { EVP_MAC_free(algorithm) }
        guard let context = EVP_MAC_CTX_new(algorithm) else { throw .signingFailed }
        self.context = context

        // Both texts must live until the call is over: the parameters only point to them.
        let status = OSSL_MAC_PARAM_DIGEST.withCString { name in
            "SHA256".withCString { digest in
                // OpenSSL only reads the digest, in spite of the pointer's type.
                var parameters = [
                    OSSL_PARAM_construct_utf8_string(name, UnsafeMutablePointer(mutating: digest), 0),
                    OSSL_PARAM_construct_end(),
                ]
                return key.withBytes { EVP_MAC_init(context, $0.baseAddress, $0.count, &parameters) }
            }
        }
        guard status == 1 else { throw .signingFailed }
    }

    deinit {
        EVP_MAC_CTX_free(context)
    }

    /// The 32 bytes that authenticate a message.
    func authenticate(_ message: [UInt8]) throws(KMSError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.digestLength)
        var length = 0
        guard
            EVP_MAC_init(context, nil, 0, nil) == 1,
            EVP_MAC_update(context, message, message.count) == 1,
            EVP_MAC_final(context, &digest, &length, digest.count) == 1,
            length == Self.digestLength
        else { throw .signingFailed }
        return digest
    }
}
