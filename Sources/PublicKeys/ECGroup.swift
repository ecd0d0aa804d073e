import COpenSSL

/// OpenSSL's `EC_GROUP` of a named curve: made once, as that costs more than all the checks of a key.
final class ECGroup: @unchecked Sendable {
    // Sendable: the group is never changed after it was made, and OpenSSL only reads it where we pass it.
    private let group: OpaquePointer

    static let p256 = ECGroup(.p256)
    static let p384 = ECGroup(.p384)
    static let p521 = ECGroup(.p521)
    static let secp256k1 = ECGroup(.secp256k1)

    /// Nil if this build of OpenSSL lacks the curve, as some distributions leave secp256k1 out.
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
