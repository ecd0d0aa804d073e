import CKMSOpenSSL
import KMSPublicKeys
import Testing

@Suite struct AnyAlgorithmTests {
    private static let hashes = [HashFunction.sha256, .sha384, .sha512]

    private func expectOnly(
        _ hash: HashFunction, _ key: PublicKey, _ signature: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        ERR_clear_error()
        for other in Self.hashes {
            let isValid = try key.verifyByAnyAlgorithm(
                signature: signature, digest: other.digest(of: message), hash: other)
            #expect(isValid == (other == hash), "\(other)", sourceLocation: sourceLocation)
        }
        let digest = hash.digest(of: message)
        #expect(try !key.verifyByAnyAlgorithm(signature: signature + [0], digest: digest, hash: hash))
        #expect(try !key.verifyByAnyAlgorithm(signature: [], digest: digest, hash: hash))
        #expect(try !key.verifyByAnyAlgorithm(signature: signature, digest: digest.dropLast(), hash: hash))
        #expect(ERR_peek_error() == 0, sourceLocation: sourceLocation)
    }

    @Test(arguments: SignatureAlgorithm.allCases.filter(\.isRSA))
    func `an RSA signature is valid by either padding, with its own hash alone`(
        algorithm: SignatureAlgorithm
    ) throws {
        let pair = try algorithm.newKeyPair()
        try expectOnly(algorithm.hash, PublicKey(pair), pair.sign(message, algorithm))
    }

    /// Of PSS, in bytes: none, a short one, that of the hash, and as much as fits.
    @Test(arguments: [0, 8, 32, 222] as [Int32])
    func `a salt may have any length`(count: Int32) throws {
        let pair = try KeyPair.rsa2048.get()
        try expectOnly(.sha256, PublicKey(pair), pair.sign(message, .ps256, saltLength: count))
    }

    @Test(arguments: Curve.allCases, SignatureAlgorithm.allCases.filter { !$0.isRSA })
    func `an ECDSA signature is valid on any curve by any of the hashes`(
        curve: Curve, algorithm: SignatureAlgorithm
    ) throws {
        let pair = try KeyPair.ec(curve)
        try expectOnly(algorithm.hash, PublicKey(pair), pair.sign(message, algorithm))
    }

    @Test func `a signature of another key is not valid`() throws {
        let digest = HashFunction.sha256.digest(of: message)
        let signature = try KeyPair.rsa2048.get().sign(message, .rs256)
        let other = try PublicKey(KeyPair.rsa(bits: 2_048))
        #expect(try !other.verifyByAnyAlgorithm(signature: signature, digest: digest, hash: .sha256))
        let ec = try PublicKey(KeyPair.ec(.p256))
        #expect(try !ec.verifyByAnyAlgorithm(signature: signature, digest: digest, hash: .sha256))
    }
}
