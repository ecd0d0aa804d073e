import CKMSOpenSSL

/// A key pair: an `EVP_PKEY`.
struct PrivateKey: ~Copyable {
    let pointer: OpaquePointer

    /// Takes ownership of the reference; nil for a null pointer.
    private init?(owning pointer: OpaquePointer?) {
        guard let pointer else { return nil }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }

    /// A new RSA key with 2,048 bits; nil if OpenSSL fails.
    static func rsa2048() -> PrivateKey? { PrivateKey(owning: copenssl_generate_rsa(2_048)) }

    /// A new EC key on P-256; nil if OpenSSL fails.
    static func p256() -> PrivateKey? { PrivateKey(owning: copenssl_generate_ec("P-256")) }

    /// Parses a PEM without a passphrase; nil for any other text.
    init?(pem: String) {
        var pem = pem
        let key = pem.withUTF8 { text -> OpaquePointer? in
            // The BIO does not copy the text, so it must not outlive the closure.
            guard let length = Int32(exactly: text.count), let bio = BIO_new_mem_buf(text.baseAddress, length) else {
                return nil
            }
            defer { BIO_free(bio) }
            // Without this callback OpenSSL would prompt for the passphrase of an encrypted key on the terminal.
            return PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
        }
        self.init(owning: key)
    }

    /// The public half (`PUBLIC KEY`, SubjectPublicKeyInfo); nil if OpenSSL fails.
    var publicPEM: String? { PEM.text { PEM_write_bio_PUBKEY($0, pointer) } }

    /// The private half (`PRIVATE KEY`, PKCS#8, not encrypted); nil if OpenSSL fails.
    var privatePEM: String? { PEM.text { PEM_write_bio_PrivateKey($0, pointer, nil, nil, 0, nil, nil) } }
}

enum PEM {
    /// The text that `write` writes to a memory BIO; nil if it does not return 1.
    static func text(_ write: (OpaquePointer) -> Int32) -> String? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        guard BIO_read(bio, &bytes, Int32(bytes.count)) == bytes.count else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
