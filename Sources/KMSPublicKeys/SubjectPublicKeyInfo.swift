import CKMSOpenSSL

/// The constant parts of a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7) for each accepted kind of key.
///
/// DER has exactly one encoding of a value, and for these kinds everything before the key itself is always the same
/// bytes, except for the lengths. So a comparison of bytes checks the algorithm, the named curve and the encoding at
/// once.
enum SubjectPublicKeyInfo {
    /// The bytes before an RSAPublicKey of `pkcs1Count` bytes (RFC 3279, section 2.3.1). Nil unless both lengths take
    /// two bytes, which is the case for every accepted key size.
    static func rsaHeader(pkcs1Count: Int) -> [UInt8]? {
        // SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }
        let algorithm: [UInt8] = [
            0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0,
        ]
        // The bit string begins with the number of its unused bits.
        let bitStringCount = pkcs1Count + 1
        let count = algorithm.count + 4 + bitStringCount
        guard bitStringCount >= 0x100, count <= 0xFFFF else { return nil }
        return [0x30, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)] + algorithm
            + [0x03, 0x82, UInt8(bitStringCount >> 8), UInt8(bitStringCount & 0xFF), 0]
    }

    /// The length of `rsaHeader`.
    static let rsaHeaderCount = 24

    /// The bytes before the coordinates of an uncompressed point (RFC 5480, section 2): the identifiers of an EC key
    /// and its curve, and the 4 that means "uncompressed".
    static func ecHeader(_ curve: Curve) -> [UInt8] {
        switch curve {
        case .p256: p256Header
        case .p384: p384Header
        case .p521: p521Header
        case .secp256k1: secp256k1Header
        }
    }

    /// The length of a whole SubjectPublicKeyInfo for this curve.
    static func ecCount(_ curve: Curve) -> Int {
        ecHeader(curve).count + 2 * curve.coordinateCount
    }

    private static let p256Header: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ]
    private static let p384Header: [UInt8] = [
        0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
    ]
    private static let p521Header: [UInt8] = [
        0x30, 0x81, 0x9B, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00, 0x04,
    ]
    private static let secp256k1Header: [UInt8] = [
        0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
        0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A, 0x03, 0x42, 0x00, 0x04,
    ]
}

/// Iterates over consecutive ASN.1 elements, parsing their headers with OpenSSL.
struct DERElements {
    struct Element {
        let tag: Int32
        let contents: ArraySlice<UInt8>
    }

    /// The bytes after the elements that have been returned.
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next element if its tag is universal, and its length definite and within the bytes; otherwise nil.
    mutating func next() -> Element? {
        let header = rest.withUnsafeBufferPointer { bytes -> (tag: Int32, start: Int, count: Int)? in
            guard let base = bytes.baseAddress else { return nil }
            var next: UnsafePointer<UInt8>? = base
            var (count, tag, tagClass) = (0, Int32(0), Int32(0))
            let flags = ASN1_get_object(&next, &count, &tag, &tagClass, bytes.count)
            guard flags == 0 || flags == V_ASN1_CONSTRUCTED, tagClass == V_ASN1_UNIVERSAL, let next else {
                ERR_clear_error()
                return nil
            }
            return (tag, next - base, count)
        }
        guard let header else { return nil }
        let contents = rest.dropFirst(header.start).prefix(header.count)
        rest = rest[contents.endIndex...]
        return Element(tag: header.tag, contents: contents)
    }

    /// Like `next()`, for an element that must have this tag.
    mutating func next(_ tag: Int32) -> ArraySlice<UInt8>? {
        guard let element = next(), element.tag == tag else { return nil }
        return element.contents
    }
}
