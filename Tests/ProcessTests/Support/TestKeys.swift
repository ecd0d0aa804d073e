import TestSupport

/// Key pairs of every kind, made once.
struct TestKeys: Sendable {
    let rsa: OpenSSLKeyPair
    let otherRSA: OpenSSLKeyPair
    let p256: OpenSSLKeyPair
    let p384: OpenSSLKeyPair
    let p521: OpenSSLKeyPair
    let secp256k1: OpenSSLKeyPair

    static let shared = Task { try await TestKeys() }

    private init() async throws {
        rsa = try await .rsa(bits: 2_048)
        otherRSA = try await .rsa(bits: 3_072)
        p256 = try await .ec("P-256")
        p384 = try await .ec("P-384")
        p521 = try await .ec("P-521")
        secp256k1 = try await .ec("secp256k1")
    }
}
