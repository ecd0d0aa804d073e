import CKMSOpenSSL
import KMSPlatform
import KMSPublicKeys
import Testing

/// A key pair made by OpenSSL, to be the other side of the tests.
final class KeyPair: @unchecked Sendable {
    // Sendable: never changed after it was made.
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer?) throws {
        self.pointer = try #require(pointer)
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    static func rsa(bits: Int) throws -> KeyPair { try KeyPair(copenssl_generate_rsa(bits)) }

    /// On the curve that OpenSSL knows by this name.
    static func ec(_ curve: String) throws -> KeyPair { try KeyPair(copenssl_generate_ec(curve)) }

    static func ec(_ curve: Curve) throws -> KeyPair { try ec(curve.rawValue) }

    /// Of an algorithm without parameters.
    static func generate(_ algorithm: String) throws -> KeyPair {
        // The context may keep the pointer to the name, so it must not outlive the closure.
        let key = try algorithm.withCString { name in
            let context = try #require(EVP_PKEY_CTX_new_from_name(nil, name, nil))
            defer { EVP_PKEY_CTX_free(context) }
            var key: OpaquePointer?
            #expect(EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &key) == 1)
            return key
        }
        return try KeyPair(key)
    }

    // Made once, as it takes up to a second.
    static let rsa2048 = Result { try rsa(bits: 2_048) }
    static let rsa3072 = Result { try rsa(bits: 3_072) }

    /// What OpenSSL calls the SubjectPublicKeyInfo of this key.
    var spki: [UInt8] { encoded { i2d_PUBKEY(pointer, &$0) } }

    /// RSAPublicKey, or the encoded point of an EC key.
    var publicKeyBytes: [UInt8] { encoded { i2d_PublicKey(pointer, &$0) } }

    /// RSAPrivateKey, or ECPrivateKey.
    var privateKeyBytes: [UInt8] { encoded { i2d_PrivateKey(pointer, &$0) } }

    private func encoded(_ encode: (inout UnsafeMutablePointer<UInt8>?) -> Int32) -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = encode(&bytes)
        defer { CRYPTO_free(bytes, nil, 0) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// Reads a private or public key that is text.
    static func privateKey(pem: String) throws -> KeyPair {
        // The BIO points to the text for as long as it lives, so it must not outlive the closure.
        let key = try pem.withCString { text in
            let bio = try #require(BIO_new_mem_buf(text, -1))
            defer { BIO_free(bio) }
            return PEM_read_bio_PrivateKey(bio, nil, nil, nil)
        }
        return try KeyPair(key)
    }
}

/// A PEM block of 64 columns with this label around any bytes.
func pem(_ label: String, _ der: [UInt8], lineEnd: String = "\n", columns: Int = 64) -> String {
    let text = Array(Base64.encode(der))
    let lines = stride(from: 0, to: text.count, by: columns).map { String(text[$0..<min($0 + columns, text.count)]) }
    return (["-----BEGIN \(label)-----"] + lines + ["-----END \(label)-----", ""]).joined(separator: lineEnd)
}

extension PublicKey {
    convenience init(_ pem: String) throws(PublicKeyError) {
        try self.init(pem: Array(pem.utf8))
    }

    convenience init(_ pair: KeyPair) throws(PublicKeyError) {
        try self.init(KMSPublicKeysTests.pem("PUBLIC KEY", pair.spki))
    }
}
