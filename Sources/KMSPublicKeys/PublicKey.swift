import KMSJSON
import KMSPlatform

/// A public key that passed every check: RSA of 2,048 to 16,384 bits with a sane exponent, or
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
    /// The SHA-256 of `spki` in Base64: a pin of RFC 7469.
    public let spkiSHA256: String

    let material: PublicKeyMaterial
    /// OpenSSL's form of the key, built when the first signature is verified, as that takes 0.2 ms.
    let verifyingKey = Lock<EVPKey?>(nil)

    /// Reads the one PEM block of a text, `PUBLIC KEY` (RFC 7468, section 13) or `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// The lines end in LF, CRLF or CR, the last one may lack its end, and white space may surround the block. The
    /// contents must be strict DER with nothing after it.
    public init(pem: [UInt8]) throws(PublicKeyError) {
        material = try PublicKeyMaterial(PEMBlock(reading: pem))
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

    // MARK: Encodings

    /// PEM `PUBLIC KEY` as RFC 7468 writes it: 64 columns, each line ended by LF.
    public var spkiPEM: String { PEMBlock(.publicKey, der: spki).text }

    /// PEM `RSA PUBLIC KEY` (PKCS#1), 64 columns, each line ended by LF. Nil for an EC key, which has no such form.
    public var pkcs1PEM: String? {
        guard case .rsa = material.numbers else { return nil }
        return PEMBlock(.rsaPublicKey, der: Array(spki[SubjectPublicKeyInfo.rsaHeaderCount...])).text
    }

    /// The Base64 of the DER SubjectPublicKeyInfo, on one line.
    public var derBase64: String { Base64.encode(spki) }

    /// Writes the key as a JSON Web Key (RFC 7517): `kty`, `kid`, then `n` and `e`, or `crv`, `x` and `y`.
    ///
    /// `kid` is `jwkThumbprint`. There is no `alg` and no `use`: what a key may be used for is the service's to say,
    /// and it does not say it with the key.
    public func writeJWK(to json: inout JSONWriter) {
        JWK(self).write(to: &json, isForVerifying: false)
    }

    /// Writes the key as `writeJWK` does, for a JWK Set of keys that verify signatures: with `use`, and for an EC key
    /// with `alg`.
    package func writeVerifyingJWK(to json: inout JSONWriter) {
        JWK(self).write(to: &json, isForVerifying: true)
    }

    /// The SHA-256 thumbprint of RFC 7638, in Base64url.
    public var jwkThumbprint: String { JWK(self).thumbprint }

    /// One line of an `authorized_keys` file, without a line end: key type, key, comment. Nil for secp256k1, which
    /// OpenSSH does not know.
    ///
    /// - Parameter comment: what follows the key; its control characters are left out, so that the line stays one. With
    ///   none left the line ends after the key.
    public func sshLine(comment: String) -> String? { OpenSSHKey(self)?.line(comment: comment) }

    /// `SHA256:…` as `ssh-keygen -l` prints it: Base64 without padding. Nil for secp256k1.
    public var sshFingerprint: String? { OpenSSHKey(self)?.fingerprint }
}
