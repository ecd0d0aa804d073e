import CKMSOpenSSL

/// The elliptic curves that keys may use: the prime curves of FIPS 186, and the curve of SEC 2 that RFC 8812 registers.
public enum Curve: String, CaseIterable, Sendable {
    /// NIST P-256, also called secp256r1 and prime256v1. The service makes its ECDSA keys on it.
    case p256 = "P-256"
    /// NIST P-384, also called secp384r1.
    case p384 = "P-384"
    /// NIST P-521, also called secp521r1.
    case p521 = "P-521"
    /// secp256k1, the curve of Bitcoin. OpenSSH and CryptoKit don't support it.
    case secp256k1 = "secp256k1"

    /// The size of the field in bits, which is what a key's size is.
    public var keySize: Int {
        switch self {
        case .p256, .secp256k1: 256
        case .p384: 384
        case .p521: 521
        }
    }

    /// The length in bytes of one coordinate at full width (SEC 1, section 2.3.5). The order of each of these curves
    /// has the same width, so this is also the length of `r` and of `s`.
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

/// OpenSSL's `EC_GROUP` for a named curve. It is made once, because that takes longer than all the checks of a key.
final class ECGroup: @unchecked Sendable {
    // Sendable: the group is never changed after it was made, and OpenSSL only reads it where we pass it.
    private let group: OpaquePointer

    static let p256 = ECGroup(.p256)
    static let p384 = ECGroup(.p384)
    static let p521 = ECGroup(.p521)
    static let secp256k1 = ECGroup(.secp256k1)

    /// Nil if this build of OpenSSL lacks the curve; some distributions leave out secp256k1.
    private init?(_ curve: Curve) {
        guard let group = EC_GROUP_new_by_curve_name(curve.nid) else {
            ERR_clear_error()
            return nil
        }
        self.group = group
    }

    deinit {
        EC_GROUP_free(group)
    }

    /// Whether an encoded point (SEC 1, section 2.3.3) has coordinates in the field that satisfy the curve's equation.
    func contains(encodedPoint: ArraySlice<UInt8>) -> Bool {
        guard let point = EC_POINT_new(group) else { return false }
        defer { EC_POINT_free(point) }
        let isOnCurve = encodedPoint.withUnsafeBufferPointer { bytes in
            EC_POINT_oct2point(group, point, bytes.baseAddress, bytes.count, nil) == 1
        }
        if !isOnCurve { ERR_clear_error() }
        return isOnCurve
    }
}
