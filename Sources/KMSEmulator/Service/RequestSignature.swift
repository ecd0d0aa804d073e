import COpenSSL

/// Signature version 2 of the API gateway (the API reference, "Authentication").
///
/// The client has code of its own for the same rule, and neither may use the other's: a mistake can't agree with itself.
package enum RequestSignature {
    /// Base64(HMAC-SHA256(secret, string to sign)).
    ///
    /// - Parameter target: the request target as it came over the wire, path and query.
    package static func compute(
        method: String, target: String, timestamp: String, accessKey: String, secret: String
    ) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(method.utf8.count + target.utf8.count + timestamp.utf8.count + accessKey.utf8.count + 3)
        text.append(contentsOf: method.utf8)
        text.append(UInt8(ascii: " "))
        text.append(contentsOf: target.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: timestamp.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: accessKey.utf8)

        let secret = Array(secret.utf8)
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        // Fails only when OpenSSL has no SHA-256 or no memory; the digest of zeros then matches no signature.
        _ = HMAC(EVP_sha256(), secret, Int32(secret.count), text, text.count, &digest, nil)
        return Base64.encoded(digest)
    }

    /// Whether `signature` is the right one, in a time that does not tell how much of it is right.
    package static func matches(_ signature: String, _ expected: [UInt8]) -> Bool {
        let given = Array(signature.utf8)
        return given.count == expected.count && CRYPTO_memcmp(given, expected, expected.count) == 0
    }
}
