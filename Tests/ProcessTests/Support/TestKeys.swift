import KMSEmulator
import KMSTestSupport

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

    /// A KMS with these keys. The latest version of "rsa" is the second; the others have one.
    var seed: Seed {
        Seed(keys: [
            Seed.Key("rsa", .rsa2048, [otherRSA.publicKey, rsa.publicKey]), Seed.Key("ec", .ecdsa, [p256.publicKey]),
            Seed.Key("p384", .ecdsa, [p384.publicKey]), Seed.Key("p521", .ecdsa, [p521.publicKey]),
            Seed.Key("k1", .ecdsa, [secp256k1.publicKey]),
        ])
    }
}
