import COpenSSL

/// The two numbers of an RSA public key, read from a strict DER RSAPublicKey (RFC 8017, appendix A.1.1).
struct RSAPublicKey: Sendable {
    /// Below 2,048 bits a key is weak (NIST SP 800-131A); above 16,384 OpenSSL refuses to use it.
    static let allowedBits = 2_048...16_384
    /// An exponent of more bits is nothing but a way to make verifying slow.
    static let mostExponentBits = 32

    /// Big-endian, without leading zeros.
    let modulus: ArraySlice<UInt8>
    /// Big-endian, without leading zeros.
    let exponent: ArraySlice<UInt8>
    /// The size of the modulus in bits.
    let bits: Int

    init(pkcs1 der: ArraySlice<UInt8>) throws(PublicKeyError) {
        try Self.checkIsStrict(der)
        // From here on the encoding is known to be canonical, so its parts are the numbers.
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
        // Odd and not 1 is at least 3.
        guard Self.bitCount(self.exponent) <= Self.mostExponentBits, self.exponent.last.map({ $0 & 1 == 1 }) == true,
            self.exponent != [1]
        else { throw .rsaExponent }
    }

    /// Reads the key with OpenSSL, which is lenient, and demands that the bytes are those it writes itself.
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

    /// The bits of a big-endian number without leading zeros.
    private static func bitCount(_ number: ArraySlice<UInt8>) -> Int {
        number.count * 8 - (number.first?.leadingZeroBitCount ?? 0)
    }
}
