import COpenSSL

/// The elliptic curves on which a key may be: the prime curves of FIPS 186 and that of SEC 2 which RFC 8812 names.
public enum Curve: String, CaseIterable, Sendable {
    case p256 = "P-256"
    case p384 = "P-384"
    case p521 = "P-521"
    case secp256k1 = "secp256k1"

    /// The size of the field in bits, which is what a key's size is.
    public var keySize: Int {
        switch self {
        case .p256, .secp256k1: 256
        case .p384: 384
        case .p521: 521
        }
    }

    /// The bytes of one coordinate at its full width (SEC 1, section 2.3.5). The order of each of these curves has
    /// the same width, so it is that of `r` and `s` as well.
    package var coordinateCount: Int { (keySize + 7) / 8 }

    /// OpenSSL's number for it.
    var nid: Int32 {
        switch self {
        case .p256: NID_X9_62_prime256v1
        case .p384: NID_secp384r1
        case .p521: NID_secp521r1
        case .secp256k1: NID_secp256k1
        }
    }

    var group: ECGroup? {
        switch self {
        case .p256: ECGroup.p256
        case .p384: ECGroup.p384
        case .p521: ECGroup.p521
        case .secp256k1: ECGroup.secp256k1
        }
    }
}
