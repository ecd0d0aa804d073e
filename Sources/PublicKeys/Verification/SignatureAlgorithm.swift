import COpenSSL

/// The signature algorithms of RFC 7518, section 3.1, under their names there.
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
    // RSASSA-PKCS1-v1_5.
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    // RSASSA-PSS, MGF1 with the same hash. A salt of any length is accepted, where RFC 7518 wants that of the hash.
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    // ECDSA, each with its own curve.
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"

    enum Scheme: Equatable {
        case rsaPKCS1
        case rsaPSS
        case ecdsa(Curve)
    }

    var scheme: Scheme {
        switch self {
        case .rs256, .rs384, .rs512: .rsaPKCS1
        case .ps256, .ps384, .ps512: .rsaPSS
        case .es256: .ecdsa(.p256)
        case .es384: .ecdsa(.p384)
        case .es512: .ecdsa(.p521)
        }
    }

    package var hash: HashFunction {
        switch self {
        case .rs256, .ps256, .es256: .sha256
        case .rs384, .ps384, .es384: .sha384
        case .rs512, .ps512, .es512: .sha512
        }
    }

    /// The length in bytes of a digest that `PublicKey.verify` takes.
    public var digestCount: Int { hash.digestCount }

    /// Whether a key is of the type, and on the curve, that this algorithm needs.
    public func fits(_ key: PublicKey) -> Bool {
        switch scheme {
        case .rsaPKCS1, .rsaPSS: key.keyType == .rsa
        case .ecdsa(let curve): key.curve == curve
        }
    }

    /// Whether bytes have the form of a signature by this algorithm: by a key of any size that is accepted, in either
    /// encoding. It is about what a file may hold, not about whether the signature is valid.
    package func canBeSignature(_ bytes: [UInt8]) -> Bool {
        switch scheme {
        case .rsaPKCS1, .rsaPSS:
            // RFC 8017, section 8: as long as the modulus.
            return (RSAPublicKey.allowedBits.lowerBound / 8...RSAPublicKey.allowedBits.upperBound / 8)
                .contains(bytes.count)
        case .ecdsa(let curve):
            if bytes.count == 2 * curve.coordinateCount { return true }
            // Ecdsa-Sig-Value (RFC 3279, section 2.2.3): a sequence of two integers.
            var outer = DERElements(bytes[...])
            guard let sequence = outer.next(V_ASN1_SEQUENCE), outer.rest.isEmpty else { return false }
            var inner = DERElements(sequence)
            return inner.next(V_ASN1_INTEGER) != nil && inner.next(V_ASN1_INTEGER) != nil && inner.rest.isEmpty
        }
    }
}
