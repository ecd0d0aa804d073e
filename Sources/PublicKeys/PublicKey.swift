import JSON
import Platform

/// A public key that passed every check (spec 02, "getPublicKey"): RSA of 2,048 to 16,384 bits with a sane exponent, or
/// a point on one of the curves of `Curve`.
///
/// Immutable, and a reference: to hand one on costs nothing.
public final class PublicKey: Sendable {
    public enum KeyType: String, Sendable {
        case rsa = "RSA"
        case ec = "EC"
    }

    /// The text that the key was read from, byte for byte; ASCII.
    public let pem: [UInt8]
    /// The same as a JSON string: it is asked for with every answer.
    package let pemJSON: [UInt8]
    /// The Base64 of the SHA-256 of `spki`: a pin as of RFC 7469.
    public let spkiSHA256: String

    let material: PublicKeyMaterial
    /// OpenSSL's form of the key, built when the first signature is verified, as that takes 0.2 ms.
    let verifyingKey = Lock<EVPKey?>(nil)

    /// Reads the one PEM block of a text, `PUBLIC KEY` (RFC 7468, section 13) or `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// The lines end in LF, CRLF or CR, the last one may lack its end, and white space may surround the block. The
    /// contents must be strict DER with nothing after it.
    public init(pem: [UInt8]) throws(PublicKeyError) {
        material = try PublicKeyMaterial(PEMBlock(pem))
        self.pem = pem
        var json = JSONWriter()
        json.value(String(decoding: pem, as: UTF8.self))
        pemJSON = json.bytes
        spkiSHA256 = Base64.encode(HashFunction.sha256.digest(of: material.spki))
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), whatever form the key was read from.
    public var spki: [UInt8] { material.spki }

    public var keyType: KeyType {
        switch material.numbers {
        case .rsa: .rsa
        case .ec: .ec
        }
    }

    /// In bits: the size of the modulus of an RSA key, of the curve's field of an EC key.
    public var keySize: Int {
        switch material.numbers {
        case .rsa(let key): key.bits
        case .ec(let curve, _, _): curve.keySize
        }
    }

    /// Nil for an RSA key.
    public var curve: Curve? {
        switch material.numbers {
        case .rsa: nil
        case .ec(let curve, _, _): curve
        }
    }
}
