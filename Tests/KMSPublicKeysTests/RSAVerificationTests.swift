import CKMSOpenSSL
import KMSPublicKeys
import Testing

@Suite struct RSAVerificationTests {
    /// DigestInfo of SHA-256 (RFC 8017, section 9.2, note 1), without the digest.
    static let sha256Prefix: [UInt8] = [
        0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ]

    private func isValid(_ pair: KeyPair, _ signature: [UInt8], _ algorithm: SignatureAlgorithm) throws -> Bool {
        try PublicKey(pair).verify(signature: signature, algorithm: algorithm, message: .data(message))
    }

    @Test(arguments: SignatureAlgorithm.allCases.filter(\.isPSS), [0, 1, 20, 32, 48, 64, RSA_PSS_SALTLEN_MAX])
    func `a PSS salt of any length is accepted`(algorithm: SignatureAlgorithm, saltLength: Int32) throws {
        let pair = try KeyPair.rsa2048.get()
        let signature = try pair.sign(message, algorithm, saltLength: saltLength)
        #expect(try isValid(pair, signature, algorithm))
    }

    @Test func `MGF1 with another hash is not valid`() throws {
        let pair = try KeyPair.rsa2048.get()
        for hash in ["SHA1", "SHA384"] {
            #expect(try !isValid(pair, pair.sign(message, .ps256, mgf1: hash), .ps256))
        }
    }

    @Test func `moduli whose bits are no multiple of eight verify, too`() throws {
        for bits in [2_049, 2_055] {
            let pair = try KeyPair.rsa(bits: bits)
            for algorithm in [SignatureAlgorithm.rs256, .ps256] {
                #expect(try isValid(pair, pair.sign(message, algorithm), algorithm))
            }
        }
    }

    /// OpenSSL itself takes a PSS signature whose leading zeros were cut off.
    @Test(arguments: [SignatureAlgorithm.rs256, .ps256])
    func `a signature without its leading zero is not valid`(algorithm: SignatureAlgorithm) throws {
        let pair = try KeyPair.rsa2048.get()
        let key = try PublicKey(pair)
        for number in 0..<20_000 {
            let text = Array("message \(number)".utf8)
            let signature = try pair.sign(text, algorithm)
            guard signature[0] == 0 else { continue }
            #expect(try key.verify(signature: signature, algorithm: algorithm, message: .data(text)))
            let cut = Array(signature.dropFirst())
            #expect(try !key.verify(signature: cut, algorithm: algorithm, message: .data(text)))
            return
        }
        Issue.record("no signature began with a zero")
    }

    @Test func `a signature with the modulus added is not valid`() throws {
        let pair = try KeyPair.rsa2048.get()
        let modulus = Array(pair.publicKeyBytes[9..<(9 + 256)])
        for number in 0..<1_000 {
            let text = Array("message \(number)".utf8)
            let larger = try sum(pair.sign(text, .rs256), modulus)
            guard larger.count == 256 else { continue }
            #expect(try !PublicKey(pair).verify(signature: larger, algorithm: .rs256, message: .data(text)))
            return
        }
        Issue.record("no sum was of the modulus's length")
    }

    @Test func `a PKCS#1 encoding that is right is valid, and each that is not is not`() throws {
        let pair = try KeyPair.rsa2048.get()
        let digest = HashFunction.sha256.digest(of: message)
        let info = Self.sha256Prefix + digest
        // RFC 8017, section 9.2: 00 01 FF … FF 00 DigestInfo.
        func padded(_ info: [UInt8], type: UInt8 = 1, padding: UInt8 = 0xFF, separator: UInt8 = 0) -> [UInt8] {
            [0, type] + [UInt8](repeating: padding, count: 256 - 3 - info.count) + [separator] + info
        }
        #expect(try isValid(pair, pair.signRaw(padded(info)), .rs256))

        let algorithm: [UInt8] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]
        let wrong: [[UInt8]] = [
            padded(info, type: 2), padded(info, type: 0), padded(info, padding: 0xFE), padded(info, separator: 1),
            padded(digest),
            // The padding cut short and the rest filled: what Bleichenbacher forged for exponent 3.
            [0, 1] + [UInt8](repeating: 0xFF, count: 8) + [0] + info
                + [UInt8](repeating: 0, count: 256 - 11 - info.count),
            // DigestInfo without the NULL, with something after the digest, in BER, with another hash's identifier.
            padded(DER.sequence(DER.sequence(algorithm), DER.element(4, digest))),
            padded(DER.sequence(DER.sequence(algorithm, DER.null), DER.element(4, digest), DER.null)),
            padded(DER.sequence(DER.sequence(algorithm, DER.null, DER.null), DER.element(4, digest))),
            padded(DER.sequence(DER.sequence(algorithm, DER.null), DER.element(4, digest), lengthBytes: 1)),
            padded(DER.indefiniteSequence(DER.sequence(algorithm, DER.null), DER.element(4, digest))),
            padded(DER.sequence(DER.sequence(algorithm.dropLast() + [2], DER.null), DER.element(4, digest))),
            padded(DER.sequence(DER.sequence(algorithm, DER.null), DER.element(4, digest.dropLast()))),
        ]
        for block in wrong { #expect(try !isValid(pair, pair.signRaw(block), .rs256)) }
    }

    /// RFC 7520, sections 4.1 and 4.2.
    @Test func `the RSA signatures of RFC 7520 are valid`() throws {
        let key = try RFCKeys.key(rsa: RFCKeys.bilboRSA)
        let rs256 = """
            MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi8\
            4wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocS\
            adnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJu\
            shZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg
            """
        let ps384 = """
            cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItl\
            lVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0\
            TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0\
            uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw
            """
        for (algorithm, signature) in [(SignatureAlgorithm.rs256, rs256), (.ps384, ps384)] {
            let input = RFCKeys.signingInput(algorithm)
            let bytes = try decodeBase64URL(signature)
            #expect(try key.verify(signature: bytes, algorithm: algorithm, message: .data(input)))
        }
    }
}
