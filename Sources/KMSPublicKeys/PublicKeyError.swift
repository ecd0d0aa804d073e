/// Why a text is not accepted as a public key. Contains nothing of the text except the name of its label, curve or
/// algorithm, so it may be logged even if the text was a private key.
public enum PublicKeyError: Error, Hashable, Sendable {
    /// The text contains no PEM block.
    case notPEM
    /// The text is longer than any accepted key.
    case tooLong
    /// Something other than white space precedes or follows the PEM block.
    case textAroundPEM
    /// The text has more than one PEM block.
    case multiplePEMBlocks
    /// The block has no end, its end has another label, or its boundaries are not on lines of their own.
    case malformedPEM
    /// The block has headers (RFC 1421), like encrypted ones.
    case pemHeaders
    /// The contents of the block are not Base64.
    case invalidBase64

    /// The text is a private key. It has been discarded.
    case privateKey
    /// The block is an X.509 certificate.
    case certificate
    /// The block is neither `PUBLIC KEY` nor `RSA PUBLIC KEY`.
    case unexpectedPEMLabel(String)

    /// The contents are not the DER encoding of what the label says.
    case invalidDER
    /// Bytes follow the key, inside or after its outermost element.
    case trailingBytes

    /// The RSA modulus has fewer than 2,048 or more than 16,384 bits.
    case rsaKeySize(bits: Int)
    /// The RSA exponent is not an odd number from 3 to 4,294,967,295.
    case rsaExponent
    /// The RSA modulus is even, so it is not a product of two large primes.
    case rsaModulus
    /// An RSA key that is restricted to PSS (RFC 4055: `id-RSASSA-PSS`).
    case rsaPSSOnly

    /// The key is on a curve that is not in `Curve`; the value is its name, or its object identifier.
    case unsupportedCurve(String)
    /// The key spells out its curve's parameters instead of naming the curve.
    case explicitCurveParameters
    /// The point is written compressed or hybrid (SEC 1, section 2.3.3).
    case compressedPoint
    /// The point is the point at infinity.
    case pointAtInfinity
    /// The point is not on its curve.
    case pointNotOnCurve

    /// An Ed25519 key (RFC 8410).
    case ed25519
    /// A DSA key.
    case dsa
    /// A key of another algorithm; the value is its name, or its object identifier.
    case unsupportedAlgorithm(String)

    /// A stable name for programs: the name of the case.
    public var name: String {
        switch self {
        case .notPEM: "notPEM"
        case .tooLong: "tooLong"
        case .textAroundPEM: "textAroundPEM"
        case .multiplePEMBlocks: "multiplePEMBlocks"
        case .malformedPEM: "malformedPEM"
        case .pemHeaders: "pemHeaders"
        case .invalidBase64: "invalidBase64"
        case .privateKey: "privateKey"
        case .certificate: "certificate"
        case .unexpectedPEMLabel: "unexpectedPEMLabel"
        case .invalidDER: "invalidDER"
        case .trailingBytes: "trailingBytes"
        case .rsaKeySize: "rsaKeySize"
        case .rsaExponent: "rsaExponent"
        case .rsaModulus: "rsaModulus"
        case .rsaPSSOnly: "rsaPSSOnly"
        case .unsupportedCurve: "unsupportedCurve"
        case .explicitCurveParameters: "explicitCurveParameters"
        case .compressedPoint: "compressedPoint"
        case .pointAtInfinity: "pointAtInfinity"
        case .pointNotOnCurve: "pointNotOnCurve"
        case .ed25519: "ed25519"
        case .dsa: "dsa"
        case .unsupportedAlgorithm: "unsupportedAlgorithm"
        }
    }
}

extension PublicKeyError: CustomStringConvertible {
    /// A sentence for people, without a capital or a full stop.
    public var description: String {
        switch self {
        case .notPEM: "the text is not a PEM block"
        case .tooLong: "the text is longer than \(PEMBlock.maximumBytes >> 10) KiB"
        case .textAroundPEM: "there is text before or after the PEM block"
        case .multiplePEMBlocks: "there is more than one PEM block where one public key is expected"
        case .malformedPEM: "the lines that begin and end the PEM block are not as RFC 7468 requires"
        case .pemHeaders: "the PEM block has headers or is encrypted, which a public key never is"
        case .invalidBase64: "the contents of the PEM block are not Base64"
        case .privateKey: "the text is a private key, where only a public key is accepted; it was discarded"
        case .certificate: "the PEM block is a certificate, not a public key"
        case .unexpectedPEMLabel(let label):
            "the PEM block is labelled \"\(label)\", neither \"PUBLIC KEY\" nor \"RSA PUBLIC KEY\""
        case .invalidDER: "the contents of the PEM block are not the strict DER encoding of a public key"
        case .trailingBytes: "bytes follow the public key inside the PEM block"
        case .rsaKeySize(let bits):
            "the RSA key has \(bits) bits; from \(RSAPublicKey.allowedBits.lowerBound) to"
                + " \(RSAPublicKey.allowedBits.upperBound) are accepted"
        case .rsaExponent: "the RSA key's exponent is not an odd number from 3 to 4294967295"
        case .rsaModulus: "the RSA key's modulus is even, so it is not a product of two large primes"
        case .rsaPSSOnly: "the RSA key is restricted to RSA-PSS, which is not accepted"
        case .unsupportedCurve(let curve):
            "the key is on the curve \(curve); \(Curve.allCases.map(\.rawValue).joined(separator: ", ")) are accepted"
        case .explicitCurveParameters: "the key spells out its curve's parameters instead of naming the curve"
        case .compressedPoint: "the key's point is not written in the uncompressed form"
        case .pointAtInfinity: "the key's point is the point at infinity"
        case .pointNotOnCurve: "the key's point is not on its curve"
        case .ed25519: "Ed25519 keys are not accepted; RSA and EC keys are"
        case .dsa: "DSA keys are not accepted; RSA and EC keys are"
        case .unsupportedAlgorithm(let algorithm):
            "keys of the algorithm \(algorithm) are not accepted; RSA and EC keys are"
        }
    }
}
