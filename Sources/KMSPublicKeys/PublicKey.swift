import KMSJSON
import KMSPlatform

/// A public key that passed every check: RSA of 2,048 to 16,384 bits with a valid exponent, or a point on one of the
/// curves of `Curve`.
///
/// It is an immutable reference, so passing it on costs nothing. Two keys are equal when they are the same key,
/// whatever text each was read from.
///
/// To use a key with another library, pass it one of the encodings:
///
/// - swift-crypto and CryptoKit: `P256.Signing.PublicKey(pemRepresentation: key.spkiPEM)`, and likewise for P-384, P-521
///   and `_RSA.Signing.PublicKey`.
/// - JWTKit: `keys.add(jwk: JWK(json: key.jwk))`, or `ES256PublicKey(pem: key.spkiPEM)`.
/// - Security: `SecKeyCreateWithData` takes the PKCS#1 bytes of `pkcs1` with `kSecAttrKeyTypeRSA`, and the X9.63 point of
///   `x963` with `kSecAttrKeyTypeECSECPrimeRandom`.
public final class PublicKey: Sendable {
    /// The kind of key; raw values are the `kty` of RFC 7517.
    public enum KeyType: String, Sendable {
        /// RSA, of 2,048 to 16,384 bits.
        case rsa = "RSA"
        /// A point on one of the curves of `Curve`.
        case ec = "EC"
    }

    /// The text that the key was read from, byte for byte; ASCII. `spkiPEM` is the same key in one form.
    public let pem: [UInt8]
    /// The same as a JSON string, because every answer contains it.
    package let pemJSON: [UInt8]
    /// The SHA-256 of `spki` in Base64: a pin of RFC 7469.
    public let spkiSHA256: String

    let material: PublicKeyMaterial
    /// OpenSSL's form of the key, built when the first signature is verified, because that takes 0.2 ms.
    let verifyingKey = Lock<EVPKey?>(nil)

    /// Reads the one PEM block of a text, `PUBLIC KEY` (RFC 7468, section 13) or `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// The lines end in LF, CRLF or CR, the last one may lack its line ending, and white space may surround the block.
    /// The contents must be strict DER with nothing after it.
    ///
    /// - Throws: `PublicKeyError` for anything else, and for keys that are too weak to accept.
    public init(pem: [UInt8]) throws(PublicKeyError) {
        material = try PublicKeyMaterial(PEMBlock(reading: pem))
        self.pem = pem
        var json = JSONWriter()
        json.value(String(decoding: pem, as: UTF8.self))
        pemJSON = json.bytes
        spkiSHA256 = Base64.encode(HashFunction.sha256.digest(of: material.spki))
    }

    /// Reads a key as `init(pem:)` does.
    public convenience init(pem: String) throws(PublicKeyError) {
        try self.init(pem: Array(pem.utf8))
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7), whatever form the key was read from.
    public var spki: [UInt8] { material.spki }

    /// RSA or EC.
    public var keyType: KeyType {
        switch material.numbers {
        case .rsa: .rsa
        case .ec: .ec
        }
    }

    /// The size in bits: of an RSA key's modulus, or of the field of an EC key's curve.
    public var keySize: Int {
        switch material.numbers {
        case .rsa(let key): key.bits
        case .ec(let curve, _, _): curve.keySize
        }
    }

    /// The curve of an EC key; nil for an RSA key.
    public var curve: Curve? {
        switch material.numbers {
        case .rsa: nil
        case .ec(let curve, _, _): curve
        }
    }

    // MARK: Encodings

    /// PEM `PUBLIC KEY` in the form of RFC 7468: 64 columns, each line terminated by LF.
    public var spkiPEM: String { PEMBlock(.publicKey, der: spki).text }

    /// PEM `RSA PUBLIC KEY` (PKCS#1), 64 columns, each line terminated by LF. Nil for an EC key, which has no such
    /// form.
    public var pkcs1PEM: String? {
        pkcs1.map { PEMBlock(.rsaPublicKey, der: $0).text }
    }

    /// The DER RSAPublicKey (RFC 8017, appendix A.1.1). Nil for an EC key.
    public var pkcs1: [UInt8]? {
        guard case .rsa = material.numbers else { return nil }
        return Array(spki[SubjectPublicKeyInfo.rsaHeaderCount...])
    }

    /// The point of an EC key in the uncompressed form (SEC 1, section 2.3.3; ANSI X9.63): the byte 4, then both
    /// coordinates at full width. Nil for an RSA key.
    public var x963: [UInt8]? {
        guard case .ec(_, let x, let y) = material.numbers else { return nil }
        return [4] + x + y
    }

    /// The Base64 of the DER SubjectPublicKeyInfo, on one line.
    public var derBase64: String { Base64.encode(spki) }

    /// The key as a JSON Web Key (RFC 7517), on one line: `kty`, `kid`, then `n` and `e`, or `crv`, `x` and `y`.
    ///
    /// `kid` is `jwkThumbprint`. There is no `alg` and no `use`: the service does not say what a key is for.
    public var jwk: String {
        var json = JSONWriter()
        writeJWK(to: &json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Writes the key as a JSON Web Key (RFC 7517): `kty`, `kid`, then `n` and `e`, or `crv`, `x` and `y`.
    ///
    /// `kid` is `jwkThumbprint`. There is no `alg` and no `use`: the service does not say what a key is for.
    package func writeJWK(to json: inout JSONWriter) {
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
    /// OpenSSH does not support.
    ///
    /// - Parameter comment: the text after the key; its control characters are removed, so that it stays on one line.
    ///   If nothing is left, the line ends after the key.
    public func sshLine(comment: String) -> String? { OpenSSHKey(self)?.line(comment: comment) }

    /// `SHA256:…` as `ssh-keygen -l` prints it: Base64 without padding. Nil for secp256k1.
    public var sshFingerprint: String? { OpenSSHKey(self)?.fingerprint }
}

extension PublicKey: Hashable {
    /// Whether both are the same key: the same SubjectPublicKeyInfo.
    public static func == (left: PublicKey, right: PublicKey) -> Bool { left.spki == right.spki }

    /// Hashes the SubjectPublicKeyInfo.
    public func hash(into hasher: inout Hasher) { hasher.combine(spkiSHA256) }
}

extension PublicKey: CustomStringConvertible {
    /// What kind of key it is and its fingerprint, `spkiSHA256`: `EC P-256 sha256:…`, `RSA 2048 sha256:…`.
    public var description: String {
        "\(keyType.rawValue) \(curve?.rawValue ?? String(keySize)) sha256:\(spkiSHA256)"
    }
}
