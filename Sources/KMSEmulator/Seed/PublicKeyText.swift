import COpenSSL

/// The PEM (`PUBLIC KEY`, SubjectPublicKeyInfo) of public keys whose private half is at hand.
enum PublicKeyText {
    /// The public half of a private key in PEM without a passphrase, or nil if the text is not one.
    static func derived(fromPrivateKey pem: String) -> String? {
        let key = PEM.read(Array(pem.utf8)) { bio in
            // Without this callback OpenSSL would ask the terminal for the passphrase of an encrypted key.
            PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let key else { return nil }
        defer { EVP_PKEY_free(key) }
        return text(of: key)
    }

    /// A new key of the given type: RSA with 2048 bits, or ECDSA on P-256. Nil if OpenSSL fails, and for AES.
    static func generated(_ type: Seed.KeyType) -> String? {
        let made: OpaquePointer? =
            switch type {
            case .rsa2048: PrivateKey.rsa2048()
            case .ecdsa: PrivateKey.p256()
            case .aes256: nil
            }
        guard let key = made else { return nil }
        defer { EVP_PKEY_free(key) }
        return text(of: key)
    }

    private static func text(of key: OpaquePointer) -> String? {
        PEM.text { PEM_write_bio_PUBKEY($0, key) }
    }
}

/// New keys (`EVP_PKEY *`), which the caller frees.
///
/// Each is made in one call: an `EVP_PKEY_CTX` would keep the pointer to its algorithm's name, and a Swift string lends
/// its bytes for one call only.
enum PrivateKey {
    static func rsa2048() -> OpaquePointer? { copenssl_generate_rsa(2_048) }

    static func p256() -> OpaquePointer? { copenssl_generate_ec("P-256") }
}

enum PEM {
    /// What `parse` makes of a memory BIO that holds the text, or nil. The BIO must not outlive the call: it points to the
    /// text and has no copy of it.
    static func read(_ text: [UInt8], _ parse: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
        text.withUnsafeBytes { bytes in
            guard let length = Int32(exactly: bytes.count), let bio = BIO_new_mem_buf(bytes.baseAddress, length) else {
                return nil
            }
            defer { BIO_free(bio) }
            return parse(bio)
        }
    }

    /// What `write` puts into a memory BIO, or nil when it does not return 1.
    static func text(_ write: (OpaquePointer) -> Int32) -> String? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        guard BIO_read(bio, &bytes, Int32(bytes.count)) == bytes.count else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
