import CKMSOpenSSL

// The terms of this module:
// - SPKI: a DER SubjectPublicKeyInfo (RFC 5280); PKCS#1: a DER RSAPublicKey (RFC 8017)
// - PEM block: the text form of either (RFC 7468); its label says which
// - material: the numbers of a key that passed all checks, and its SPKI
// - strict: encoded in the only way that DER allows
// - scheme: RSASSA-PKCS1-v1_5, RSASSA-PSS or ECDSA; algorithm: a scheme with a hash function, named as in RFC 7518
// - digest: a message's hash value

/// The numbers of a key that passed all checks, and its DER SubjectPublicKeyInfo.
struct PublicKeyMaterial: Sendable {
    enum Numbers: Sendable {
        case rsa(RSAPublicKey)
        /// The coordinates, each at the full width of the curve's field.
        case ec(Curve, x: ArraySlice<UInt8>, y: ArraySlice<UInt8>)
    }

    let numbers: Numbers
    let spki: [UInt8]

    init(_ block: PEMBlock) throws(PublicKeyError) {
        switch block.label {
        case .publicKey: try self.init(spki: block.der)
        case .rsaPublicKey: try self.init(pkcs1: block.der)
        }
    }

    private init(pkcs1: [UInt8]) throws(PublicKeyError) {
        numbers = .rsa(try RSAPublicKey(pkcs1: pkcs1[...]))
        guard let header = SubjectPublicKeyInfo.rsaHeader(pkcs1Count: pkcs1.count) else { throw .invalidDER }
        spki = header + pkcs1
    }

    private init(spki der: [UInt8]) throws(PublicKeyError) {
        spki = der
        if let header = SubjectPublicKeyInfo.rsaHeader(pkcs1Count: der.count - SubjectPublicKeyInfo.rsaHeaderCount),
            der.starts(with: header)
        {
            numbers = .rsa(try RSAPublicKey(pkcs1: der[header.count...]))
        } else if let curve = Curve.allCases.first(where: {
            der.count == SubjectPublicKeyInfo.ecCount($0) && der.starts(with: SubjectPublicKeyInfo.ecHeader($0))
        }) {
            guard let group = curve.group else { throw .unsupportedCurve(curve.rawValue) }
            let coordinates = der.suffix(2 * curve.coordinateCount)
            guard group.contains(encodedPoint: der[(coordinates.startIndex - 1)...]) else { throw .pointNotOnCurve }
            numbers = .ec(
                curve, x: coordinates.prefix(curve.coordinateCount), y: coordinates.suffix(curve.coordinateCount))
        } else {
            throw PublicKeyDiagnosis.reasonToRefuse(spki: der)
        }
    }
}

/// The two numbers of an RSA public key, parsed from a strict DER RSAPublicKey (RFC 8017, appendix A.1.1).
struct RSAPublicKey: Sendable {
    /// Keys of fewer than 2,048 bits are weak (NIST SP 800-131A); OpenSSL refuses to use keys of more than 16,384.
    static let allowedBits = 2_048...16_384
    /// An exponent with more bits only makes verification slow.
    static let mostExponentBits = 32

    /// Big-endian, without leading zeros.
    let modulus: ArraySlice<UInt8>
    /// Big-endian, without leading zeros.
    let exponent: ArraySlice<UInt8>
    /// The size of the modulus in bits.
    let bits: Int

    init(pkcs1 der: ArraySlice<UInt8>) throws(PublicKeyError) {
        try Self.checkIsStrict(der)
        // From here on the encoding is known to be canonical.
        var outer = DERElements(der)
        var inner = DERElements(outer.next(V_ASN1_SEQUENCE) ?? [])
        guard let modulus = inner.next(V_ASN1_INTEGER), let exponent = inner.next(V_ASN1_INTEGER) else {
            throw .invalidDER
        }
        self.modulus = modulus.drop { $0 == 0 }
        self.exponent = exponent.drop { $0 == 0 }
        bits = Self.bitCount(self.modulus)

        guard Self.allowedBits.contains(bits) else { throw .rsaKeySize(bits: bits) }
        guard self.modulus.last.map({ $0 & 1 == 1 }) == true else { throw .rsaModulus }
        // An odd number other than 1 is at least 3.
        guard Self.bitCount(self.exponent) <= Self.mostExponentBits, self.exponent.last.map({ $0 & 1 == 1 }) == true,
            self.exponent != [1]
        else { throw .rsaExponent }
    }

    /// Parses the key with OpenSSL, which is lenient, and requires that OpenSSL encodes it to the same bytes.
    private static func checkIsStrict(_ der: ArraySlice<UInt8>) throws(PublicKeyError) {
        try der.withUnsafeBufferPointer { bytes throws(PublicKeyError) in
            guard let base = bytes.baseAddress else { throw .invalidDER }
            var next: UnsafePointer<UInt8>? = base
            guard let key = EVPKey(owning: d2i_PublicKey(EVP_PKEY_RSA, nil, &next, bytes.count)) else {
                throw PublicKeyDiagnosis.isPrivateKey(der) ? .privateKey : .invalidDER
            }
            guard next == base + bytes.count else { throw .trailingBytes }

            let count = Int(i2d_PublicKey(key.pointer, nil))
            guard count == bytes.count else { throw .invalidDER }
            let isEqual = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { again in
                var end = again.baseAddress
                return Int(i2d_PublicKey(key.pointer, &end)) == count && again.elementsEqual(bytes)
            }
            guard isEqual else { throw .invalidDER }
        }
    }

    /// The number of bits of a big-endian number without leading zeros.
    private static func bitCount(_ number: ArraySlice<UInt8>) -> Int {
        number.count * 8 - (number.first?.leadingZeroBitCount ?? 0)
    }
}
