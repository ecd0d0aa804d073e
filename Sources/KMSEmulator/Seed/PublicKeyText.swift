import COpenSSL

/// The PEM (`PUBLIC KEY`, SubjectPublicKeyInfo) of public keys whose private half is at hand.
enum PublicKeyText {
    /// The public half of a private key in PEM without a passphrase, or nil if it is none.
    static func derived(fromPrivateKey pem: String) -> String? {
        let bytes = Array(pem.utf8)
        guard let bio = BIO_new_mem_buf(bytes, Int32(bytes.count)) else { return nil }
        defer { BIO_free(bio) }
        // Without this callback OpenSSL would ask the terminal for the passphrase of an encrypted key.
        guard let key = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) else { return nil }
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
enum PrivateKey {
    static func rsa2048() -> OpaquePointer? {
        make("RSA") { EVP_PKEY_CTX_set_rsa_keygen_bits($0, 2048) }
    }

    static func p256() -> OpaquePointer? {
        make("EC") { EVP_PKEY_CTX_set_ec_paramgen_curve_nid($0, NID_X9_62_prime256v1) }
    }

    private static func make(_ algorithm: String, _ configure: (OpaquePointer) -> Int32) -> OpaquePointer? {
        guard let context = EVP_PKEY_CTX_new_from_name(nil, algorithm, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, configure(context) == 1, EVP_PKEY_keygen(context, &key) == 1 else {
            return nil
        }
        return key
    }
}

enum PEM {
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
