import CKMSOpenSSL

/// The signature algorithms of RFC 7518, section 3.1, with the names that it gives them. RSASSA-PSS accepts a salt of
/// any length, although RFC 7518 requires the length of the hash.
public enum SignatureAlgorithm: String, CaseIterable, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    case rs384 = "RS384"
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    case rs512 = "RS512"
    /// RSASSA-PSS with SHA-256, also in MGF1.
    case ps256 = "PS256"
    /// RSASSA-PSS with SHA-384, also in MGF1.
    case ps384 = "PS384"
    /// RSASSA-PSS with SHA-512, also in MGF1.
    case ps512 = "PS512"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
    /// ECDSA on P-384 with SHA-384.
    case es384 = "ES384"
    /// ECDSA on P-521 with SHA-512.
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

    /// The length in bytes of a digest that `PublicKey.verify` accepts.
    public var digestCount: Int { hash.digestCount }

    /// Whether a key is of the type, and on the curve, that this algorithm needs.
    public func fits(_ key: PublicKey) -> Bool {
        switch scheme {
        case .rsaPKCS1, .rsaPSS: key.keyType == .rsa
        case .ecdsa(let curve): key.curve == curve
        }
    }

    /// Whether bytes have the form of a signature by this algorithm, made with a key of any accepted size, in either
    /// encoding. This only recognises a signature file; the signature may still be invalid.
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

/// How the two numbers of an ECDSA signature are written. An RSA signature is one number and has one form.
public enum SignatureEncoding: String, CaseIterable, Sendable {
    /// ASN.1 DER: Ecdsa-Sig-Value (RFC 3279, section 2.2.3).
    case der
    /// `r` and `s` one after the other, each at the full width of the curve's order (IEEE P1363; RFC 7518,
    /// section 3.4).
    case p1363
}

/// What a signature is checked against.
public enum SignedMessage: Sendable {
    /// The message, not yet hashed.
    case data([UInt8])
    /// The message's digest, computed with the hash of the signature's algorithm.
    case digest([UInt8])
}

/// Why a signature could not be checked. An invalid signature is not an error: the answer is `false`.
public enum VerificationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The algorithm needs a key of another type or on another curve.
    case algorithmDoesNotFitKey(SignatureAlgorithm, keyType: PublicKey.KeyType, curve: Curve?)
    /// The digest does not have the length of the algorithm's hash.
    case wrongDigestLength(SignatureAlgorithm, count: Int)
    /// OpenSSL could not start, because of its configuration or a lack of memory; the signature was not checked.
    case unavailable

    /// A stable name for programs: the name of the case.
    public var name: String {
        switch self {
        case .algorithmDoesNotFitKey: "algorithmDoesNotFitKey"
        case .wrongDigestLength: "wrongDigestLength"
        case .unavailable: "unavailable"
        }
    }

    /// A sentence for people, without a capital or a full stop.
    public var description: String {
        switch self {
        case .algorithmDoesNotFitKey(let algorithm, let keyType, let curve):
            "\(algorithm.rawValue) does not fit an \(keyType.rawValue) key" + (curve.map { " on \($0.rawValue)" } ?? "")
        case .wrongDigestLength(let algorithm, let count):
            "a digest for \(algorithm.rawValue) has \(algorithm.digestCount) bytes, not \(count)"
        case .unavailable: "OpenSSL could not start verifying a signature"
        }
    }
}
