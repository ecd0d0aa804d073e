import KMSPlatform
import KMSPublicKeys
import Testing

private let ecAlgorithms = SignatureAlgorithm.allCases.filter { !$0.isRSA }

@Suite struct ECDSAVerificationTests {
    /// A key, a good signature by it, and the order of its curve.
    struct Signed {
        let key: PublicKey
        let algorithm: SignatureAlgorithm
        let der: [UInt8]
        let numbers: SignatureNumbers
        let order: [UInt8]

        init(_ algorithm: SignatureAlgorithm) throws {
            let pair = try algorithm.newKeyPair()
            key = try PublicKey(pair)
            self.algorithm = algorithm
            der = try pair.sign(message, algorithm)
            order = try pair.order()
            numbers = try SignatureNumbers(der: der, width: order.count)
        }

        func isValid(_ signature: [UInt8], _ encoding: SignatureEncoding = .der) throws -> Bool {
            try key.verify(signature: signature, algorithm: algorithm, encoding: encoding, message: .data(message))
        }
    }

    @Test(arguments: ecAlgorithms)
    func `both encodings of a signature are valid, each as itself alone`(algorithm: SignatureAlgorithm) throws {
        let signed = try Signed(algorithm)
        let raw = signed.numbers.r + signed.numbers.s
        #expect(try signed.isValid(signed.der))
        #expect(try signed.isValid(raw, .p1363))
        #expect(try !signed.isValid(signed.der, .p1363))
        #expect(try !signed.isValid(raw))
        #expect(try signed.isValid(DER.sequence(DER.positive(signed.numbers.r), DER.positive(signed.numbers.s))))
    }

    @Test(arguments: ecAlgorithms)
    func `numbers that are zero or not below the order are not valid`(algorithm: SignatureAlgorithm) throws {
        let signed = try Signed(algorithm)
        let (r, s) = (signed.numbers.r, signed.numbers.s)
        let zero = [UInt8](repeating: 0, count: r.count)
        let one: [UInt8] = zero.dropLast() + [1]
        let ones = [UInt8](repeating: 0xFF, count: r.count)
        let pairs: [([UInt8], [UInt8])] = [
            (zero, s), (r, zero), (zero, zero), (signed.order, s), (r, signed.order), (zero, signed.order),
            (signed.order, zero), (sum(r, signed.order), s), (r, sum(s, signed.order)), (ones, s), (r, ones),
            (one, one),
            (one, zero), (s, r), (sum(signed.order, one), one), (one, sum(signed.order, one)),
        ]
        for (r, s) in pairs {
            let wide = DER.sequence(number(r), number(s))
            #expect(try !signed.isValid(wide))
            #expect(try !signed.isValid(r + s, .p1363))
        }
    }

    /// A number in DER, zero included.
    private func number(_ bytes: [UInt8]) -> [UInt8] {
        bytes.allSatisfy { $0 == 0 } ? DER.integer([0]) : DER.positive(bytes)
    }

    @Test(arguments: ecAlgorithms)
    func `what is not strict DER is not valid`(algorithm: SignatureAlgorithm) throws {
        let signed = try Signed(algorithm)
        let (r, s) = (DER.positive(signed.numbers.r), DER.positive(signed.numbers.s))
        let digits = (r: Array(signed.numbers.r.drop { $0 == 0 }), s: Array(signed.numbers.s.drop { $0 == 0 }))
        let isLong = signed.der.count > 0x81
        let wrong: [[UInt8]] = [
            // Non-minimal numbers, and negative ones: the same digits without their sign byte.
            DER.sequence(DER.integer([0, 0] + digits.r), s), DER.sequence(r, DER.integer([0, 0] + digits.s)),
            DER.sequence(DER.integer([0xFF] + digits.r), s), DER.sequence(r, DER.integer([0xFF] + digits.s)),
            DER.sequence(DER.integer([0x80] + digits.r.dropFirst()), s),
            DER.sequence(DER.integer([]), s), DER.sequence(r, DER.integer([])),
            // Lengths: too long a form, indefinite, too small, too large.
            DER.sequence(r, s, lengthBytes: isLong ? 2 : 1), DER.sequence(r, s, lengthBytes: 4),
            DER.sequence(DER.integer(digits.r, lengthBytes: 1), s),
            DER.sequence(r, DER.integer(digits.s, lengthBytes: 2)),
            DER.indefiniteSequence(r, s), [0x30, 0x80] + r + s,
            [signed.der[0], signed.der[1] &- 1] + signed.der[2...],
            [signed.der[0], signed.der[1] &+ 1] + signed.der[2...],
            // Something more, or less.
            DER.sequence(r, s) + [0], DER.sequence(r, s) + DER.null, DER.sequence(r, s, DER.null),
            DER.sequence(r, s, [0, 0]), DER.sequence(r), DER.sequence(s), DER.sequence([]), r + s,
            DER.sequence(r, s, s),
            DER.sequence(DER.sequence(r, s)),
            // Other types.
            [0x31] + signed.der[1...], [0x10] + signed.der[1...], DER.element(0x04, r + s),
            DER.sequence(DER.element(0x0A, digits.r), s), DER.sequence(DER.element(0x04, digits.r), s),
            DER.sequence(DER.null, s), DER.sequence(r, DER.null), DER.sequence(DER.element(0x22, r), s),
            DER.sequence(r, DER.bitString(digits.s)), Array(Base64.encode(signed.der).utf8),
        ]
        for signature in wrong { #expect(try !signed.isValid(signature), "\(signature)") }
    }

    @Test(arguments: ecAlgorithms)
    func `a number whose sign byte is missing is negative and not valid`(algorithm: SignatureAlgorithm) throws {
        // Half of all signatures have a sign byte in r; those on P-521 hardly ever, as their first byte is 0 or 1.
        guard algorithm != .es512 else { return }
        for _ in 0..<200 {
            let signed = try Signed(algorithm)
            guard signed.numbers.r[0] >= 0x80 else { continue }
            #expect(try !signed.isValid(DER.sequence(DER.integer(signed.numbers.r), DER.positive(signed.numbers.s))))
            return
        }
        Issue.record("no signature had a sign byte")
    }

    @Test(arguments: ecAlgorithms)
    func `the raw form has exactly two full widths`(algorithm: SignatureAlgorithm) throws {
        let signed = try Signed(algorithm)
        let (r, s) = (signed.numbers.r, signed.numbers.s)
        let wrong: [[UInt8]] = [
            [], r, Array((r + s).dropLast()), Array((r + s).dropFirst()), r + s + [0], [0] + r + s, [0] + r + [0] + s,
            r + s + r + s, s + r,
        ]
        for signature in wrong { #expect(try !signed.isValid(signature, .p1363)) }
        for index in (r + s).indices {
            var flipped = r + s
            flipped[index] ^= 1
            #expect(try !signed.isValid(flipped, .p1363))
        }
    }

    /// RFC 7520, section 4.3.
    @Test func `the ECDSA signature of RFC 7520 is valid`() throws {
        let signature = """
            AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_\
            sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2
            """
        let key = try RFCKeys.key(p521: RFCKeys.bilboP521)
        let (bytes, input) = (try decodeBase64URL(signature), RFCKeys.signingInput(.es512))
        #expect(try key.verify(signature: bytes, algorithm: .es512, encoding: .p1363, message: .data(input)))
    }
}
