import CKMSOpenSSL
import KMSPublicKeys
import KMSTestSupport
import Testing

/// Public keys that are the same in every run: points on a curve, multiples of its generator by random numbers.
final class SeededPoints {
    private let group: OpaquePointer
    /// All of a SubjectPublicKeyInfo that stands before the point.
    private let spkiStart: [UInt8]
    private let coordinateBytes: Int

    init(_ curve: Curve) throws {
        let sample = try KeyPair.ec(curve)
        let point = sample.publicKeyBytes
        spkiStart = Array(sample.spki.dropLast(point.count))
        coordinateBytes = point.count / 2
        let nist = EC_curve_nist2nid(curve.rawValue)
        group = try #require(EC_GROUP_new_by_curve_name(nist != 0 ? nist : OBJ_txt2nid(curve.rawValue)))
    }

    deinit {
        EC_GROUP_free(group)
    }

    func key(_ random: inout SeededGenerator) throws -> PublicKey {
        try PublicKey(pem("PUBLIC KEY", spkiStart + point(&random)))
    }

    /// One key in 128 has a zero in front of one of its coordinates.
    func keyThatBeginsWithZero(_ random: inout SeededGenerator) throws -> PublicKey {
        while true {
            let point = try point(&random)
            guard point[1] == 0 || point[1 + coordinateBytes] == 0 else { continue }
            return try PublicKey(pem("PUBLIC KEY", spkiStart + point))
        }
    }

    /// Uncompressed.
    private func point(_ random: inout SeededGenerator) throws -> [UInt8] {
        let bytes = (0..<coordinateBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        let factor = try #require(BN_bin2bn(bytes, Int32(bytes.count), nil))
        defer { BN_free(factor) }
        let point = try #require(EC_POINT_new(group))
        defer { EC_POINT_free(point) }
        try #require(EC_POINT_mul(group, point, factor, nil, nil, nil) == 1)
        var encoded = [UInt8](repeating: 0, count: 1 + 2 * coordinateBytes)
        let count = EC_POINT_point2oct(
            group, point, POINT_CONVERSION_UNCOMPRESSED, &encoded, encoded.count, nil)
        try #require(count == encoded.count)
        return encoded
    }
}

extension DER {
    /// An RSA key of 2,048 to 4,096 bits. Its modulus is any odd number: nobody can tell that from a product of primes.
    static func rsaPKCS1(_ random: inout SeededGenerator) -> [UInt8] {
        let bits = Int.random(in: 2_048...4_096, using: &random)
        var modulus = (0..<(bits + 7) / 8).map { _ in UInt8.random(in: 0...255, using: &random) }
        let highest = UInt8((bits - 1) % 8)
        modulus[0] = modulus[0] & (1 << highest - 1) | 1 << highest
        modulus[modulus.count - 1] |= 1
        let exponents: [UInt32] = [3, 65_537, .random(in: 3...UInt32.max, using: &random) | 1]
        let exponent = exponents[Int.random(in: 0..<exponents.count, using: &random)]
        return rsaPKCS1(modulus: modulus, exponent: withUnsafeBytes(of: exponent.bigEndian, Array.init))
    }
}
