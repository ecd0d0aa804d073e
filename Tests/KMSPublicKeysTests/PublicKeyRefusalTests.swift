import CKMSOpenSSL
import KMSPlatform
import KMSPublicKeys
import Testing

/// A text that is refused, and why.
struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reason: PublicKeyError
    let text: @Sendable () throws -> String

    init(_ description: String, _ reason: PublicKeyError, _ text: @escaping @Sendable () throws -> String) {
        testDescription = description
        self.reason = reason
        self.text = text
    }

    /// In a block labelled `PUBLIC KEY`.
    static func spki(
        _ description: String, _ reason: PublicKeyError, _ der: @escaping @Sendable () throws -> [UInt8]
    ) -> Refusal {
        Refusal(description, reason) { try pem("PUBLIC KEY", der()) }
    }

    /// In a block labelled `RSA PUBLIC KEY`.
    static func pkcs1(
        _ description: String, _ reason: PublicKeyError, _ der: @escaping @Sendable () throws -> [UInt8]
    ) -> Refusal {
        Refusal(description, reason) { try pem("RSA PUBLIC KEY", der()) }
    }
}

private func good() throws -> String { try pem("PUBLIC KEY", KeyPair.rsa2048.get().spki) }
private let modulus = DER.modulus(bits: 2_048)
private let e: [UInt8] = [1, 0, 1]

@Suite struct PublicKeyRefusalTests {
    @Test(arguments: texts + labels + encodings + rsaKeys + ecKeys + algorithms + privateKeys)
    func `is refused for its own reason`(refusal: Refusal) throws {
        let text = try refusal.text()
        // A handshake that another test drove on this thread may have left some.
        ERR_clear_error()
        #expect(throws: refusal.reason) { try PublicKey(text) }
        #expect(ERR_peek_error() == 0, "an error is left in OpenSSL's queue")
    }

    @Test(arguments: privateKeys)
    func `an error holds nothing of a private key`(refusal: Refusal) throws {
        let text = try refusal.text()
        let error = try #require(throws: PublicKeyError.self) { try PublicKey(text) }
        let shown = "\(error) \(error.name) \(String(reflecting: error))"
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("-----") && line.count >= 8 {
            #expect(!shown.contains(line.prefix(8)))
        }
    }

    @Test func `a label that is odd or long is not repeated`() throws {
        let key = try KeyPair.ec(.p256)
        for label in ["A\u{1B}[31mB", String(repeating: "X", count: 33), "A\"B", "schlüssel"] {
            #expect(throws: PublicKeyError.unexpectedPEMLabel("?")) { try PublicKey(pem(label, key.spki)) }
        }
    }

    @Test func `every prefix of a good text is refused, except without its last line end`() throws {
        for pair in [try KeyPair.rsa2048.get(), try KeyPair.ec(.p384)] {
            let text = Array(pem("PUBLIC KEY", pair.spki).utf8)
            for count in 0..<(text.count - 1) {
                #expect(throws: PublicKeyError.self) { try PublicKey(pem: Array(text[..<count])) }
            }
        }
    }

    @Test func `no bit can be changed outside the numbers of an RSA key, and none at all of an EC key`() throws {
        let rsa = try KeyPair.rsa2048.get().spki
        // The modulus with its sign byte, then the exponent of three bytes behind a header of two.
        let numbers = [32..<(32 + 257), (rsa.count - 3)..<rsa.count]
        for (spki, free) in [(rsa, numbers), (try KeyPair.ec(.p521).spki, [])] {
            for index in spki.indices where !free.contains(where: { $0.contains(index) }) {
                for bit in 0..<8 {
                    var der = spki
                    der[index] ^= 1 << UInt8(bit)
                    #expect(throws: PublicKeyError.self) { try PublicKey(pem("PUBLIC KEY", der)) }
                }
            }
        }
    }

    static let texts: [Refusal] = [
        Refusal("nothing", .notPEM) { "" },
        Refusal("white space", .notPEM) { " \r\n\t" },
        Refusal("prose", .notPEM) { "no key here" },
        Refusal("an HTML page", .notPEM) { "<html><body>502 Bad Gateway</body></html>" },
        Refusal("bare Base64", .notPEM) { try Base64.encode(KeyPair.rsa2048.get().spki) },
        Refusal("boundaries in small letters", .notPEM) { try good().lowercased() },
        Refusal("the end alone", .notPEM) { "-----END PUBLIC KEY-----\n" },
        Refusal("more than any key has", .tooLong) { try good() + String(repeating: "\n", count: 8 << 10) },
        Refusal("text before", .textAroundPEM) { try "Bag Attributes\n" + good() },
        Refusal("a byte order mark before", .textAroundPEM) { try "\u{FEFF}" + good() },
        Refusal("text after", .textAroundPEM) { try good() + "x" },
        Refusal("a NUL after", .textAroundPEM) { try good() + "\0" },
        Refusal("a stray dash after", .textAroundPEM) { try good().dropLast() + "-\n" },
        Refusal("two keys", .multiplePEMBlocks) { try good() + good() },
        Refusal("a key and a certificate", .multiplePEMBlocks) { try good() + pem("CERTIFICATE", [0x30, 0]) },
        Refusal("no end", .malformedPEM) { "-----BEGIN PUBLIC KEY-----\nMAA=\n" },
        Refusal("no end of the first boundary", .malformedPEM) { "-----BEGIN PUBLIC KEY\nMAA=\n" },
        Refusal("an end of another label", .malformedPEM) {
            try good().replacing("END PUBLIC", with: "END RSA PUBLIC")
        },
        Refusal("a second beginning inside", .malformedPEM) { try "-----BEGIN PUBLIC KEY-----\n" + good() },
        Refusal("a cut end", .malformedPEM) { try String(good().dropLast(2)) },
        Refusal("all on one line", .malformedPEM) { try good().replacing("\n", with: "") },
        Refusal("all on one line, with blanks", .malformedPEM) { try good().replacing("\n", with: " ") },
        Refusal("the end on the line of the Base64", .malformedPEM) {
            try good().replacing("\n-----END", with: "-----END")
        },
        Refusal("headers", .pemHeaders) {
            try good().replacing("KEY-----\n", with: "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", maxReplacements: 1)
        },
        Refusal("no contents", .malformedPEM) { "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----" },
        Refusal("empty contents", .invalidDER) { "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----" },
        Refusal("a character outside the alphabet", .invalidBase64) { try good().replacing("MII", with: "M!I") },
        Refusal("the URL's alphabet", .invalidBase64) { "-----BEGIN PUBLIC KEY-----\n-__-\n-----END PUBLIC KEY-----" },
        Refusal("no padding", .invalidBase64) { "-----BEGIN PUBLIC KEY-----\nMAA\n-----END PUBLIC KEY-----" },
        Refusal("padding inside", .invalidBase64) {
            "-----BEGIN PUBLIC KEY-----\nMAA=MAA=\n-----END PUBLIC KEY-----"
        },
        Refusal("unused bits that are set", .invalidBase64) {
            "-----BEGIN PUBLIC KEY-----\nMAB=\n-----END PUBLIC KEY-----"
        },
    ]

    static let labels: [Refusal] = [
        Refusal("a certificate", .certificate) { try pem("CERTIFICATE", KeyPair.ec(.p256).spki) },
        Refusal("a trusted certificate", .certificate) { try pem("TRUSTED CERTIFICATE", KeyPair.ec(.p256).spki) },
        Refusal("a request", .unexpectedPEMLabel("CERTIFICATE REQUEST")) { pem("CERTIFICATE REQUEST", [0x30, 0]) },
        Refusal("parameters", .unexpectedPEMLabel("EC PARAMETERS")) { pem("EC PARAMETERS", DER.p256) },
        Refusal("an EC key as no tool labels it", .unexpectedPEMLabel("EC PUBLIC KEY")) {
            try pem("EC PUBLIC KEY", KeyPair.ec(.p256).spki)
        },
        Refusal("no label", .unexpectedPEMLabel("")) { try pem("", KeyPair.ec(.p256).spki) },
        .spki("a PKCS#1 key under the label of the other form", .invalidDER) {
            try KeyPair.rsa2048.get().publicKeyBytes
        },
        .pkcs1("a SubjectPublicKeyInfo under the label of the other form", .invalidDER) {
            try KeyPair.rsa2048.get().spki
        },
        .spki("a bare point", .invalidDER) { try KeyPair.ec(.p256).publicKeyBytes },
    ]

    static let encodings: [Refusal] = [
        .spki("not ASN.1", .invalidDER) { [UInt8](repeating: 0xFF, count: 300) },
        .spki("a cut RSA key", .invalidDER) { try KeyPair.rsa2048.get().spki.dropLast() },
        .spki("a cut EC key", .invalidDER) { try KeyPair.ec(.p256).spki.dropLast() },
        .spki("a byte after an RSA key", .trailingBytes) { try KeyPair.rsa2048.get().spki + [0] },
        .spki("a byte after an EC key", .trailingBytes) { try KeyPair.ec(.p256).spki + [0] },
        .pkcs1("a byte after a PKCS#1 key", .trailingBytes) { try KeyPair.rsa2048.get().publicKeyBytes + [0] },
        .spki("a byte after the PKCS#1 key inside", .trailingBytes) {
            try DER.rsaSPKI(KeyPair.rsa2048.get().publicKeyBytes + [0])
        },
        .pkcs1("a third number", .invalidDER) {
            DER.sequence(DER.positive(modulus), DER.positive(e), DER.positive([1]))
        },
        .spki("a third element", .invalidDER) {
            DER.sequence(
                DER.sequence(DER.rsaEncryption, DER.null),
                DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e)), DER.null)
        },
        .spki("RSA without its NULL", .invalidDER) {
            DER.sequence(DER.sequence(DER.rsaEncryption), DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e)))
        },
        .spki("unused bits in the bit string", .invalidDER) {
            DER.sequence(
                DER.sequence(DER.rsaEncryption, DER.null),
                DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e), unusedBits: 1))
        },
        .spki("a long form of a short length", .invalidDER) {
            DER.sequence(
                DER.sequence(DER.rsaEncryption, DER.null, lengthBytes: 1),
                DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e)))
        },
        .spki("a length with a leading zero", .invalidDER) {
            DER.sequence(
                DER.sequence(DER.rsaEncryption, DER.null),
                DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e)), lengthBytes: 3)
        },
        .spki("an indefinite length", .invalidDER) {
            DER.indefiniteSequence(
                DER.sequence(DER.rsaEncryption, DER.null), DER.bitString(DER.rsaPKCS1(modulus: modulus, exponent: e)))
        },
        .pkcs1("an indefinite length inside", .invalidDER) {
            DER.indefiniteSequence(DER.positive(modulus), DER.positive(e))
        },
        .pkcs1("a long form of a number's length", .invalidDER) {
            DER.sequence(DER.positive(modulus), DER.integer(e, lengthBytes: 1))
        },
        .pkcs1("a modulus with a zero too many", .invalidDER) {
            DER.sequence(DER.integer([0, 0] + modulus), DER.positive(e))
        },
        .pkcs1("an exponent with a zero too many", .invalidDER) {
            DER.sequence(DER.positive(modulus), DER.integer([0] + e))
        },
        .pkcs1("a negative modulus", .invalidDER) { DER.sequence(DER.integer(modulus), DER.positive(e)) },
        .pkcs1("a negative exponent", .invalidDER) {
            DER.sequence(DER.positive(modulus), DER.integer([0x80, 0, 1]))
        },
        .pkcs1("an empty sequence", .invalidDER) { DER.sequence([]) },
        .spki("an EC key with a long form of a length", .invalidDER) {
            let pair = try KeyPair.ec(.p256)
            return DER.sequence(
                DER.sequence(DER.ecPublicKey, DER.p256), DER.bitString(pair.publicKeyBytes), lengthBytes: 1)
        },
        .spki("a certificate without its label", .invalidDER) {
            DER.sequence(DER.sequence(DER.sequence([])), DER.sequence(DER.rsaEncryption), DER.bitString([1]))
        },
    ]

    static let rsaKeys: [Refusal] =
        [1, 512, 1_024, 2_047, 16_385, 32_768, 40_000].flatMap { bits in
            let key = DER.rsaPKCS1(modulus: DER.modulus(bits: bits), exponent: e)
            return [
                Refusal.spki("RSA of \(bits) bits", .rsaKeySize(bits: bits)) { DER.rsaSPKI(key) },
                .pkcs1("RSA of \(bits) bits, PKCS#1", .rsaKeySize(bits: bits)) { key },
            ]
        } + [
            .pkcs1("a modulus of 0", .rsaKeySize(bits: 0)) { DER.sequence(DER.integer([0]), DER.positive(e)) },
            .pkcs1("an even modulus", .rsaModulus) {
                DER.rsaPKCS1(modulus: modulus.dropLast() + [0xA4], exponent: e)
            },
        ]
        + ([[0], [1], [2], [4], [1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 1], [UInt8](repeating: 0xFF, count: 256)]
        as [[UInt8]]).map { exponent in
            .pkcs1("an exponent of \(exponent.prefix(5))", .rsaExponent) {
                DER.sequence(
                    DER.positive(modulus), exponent == [0] ? DER.integer([0]) : DER.positive(exponent))
            }
        }

    static let ecKeys: [Refusal] =
        ["secp224r1", "prime192v1", "brainpoolP256r1", "sect283k1"].map { curve in
            .spki("the curve \(curve)", .unsupportedCurve(curve)) { try KeyPair.ec(curve).spki }
        }
        + Curve.allCases.flatMap { curve in
            [
                Refusal.spki("explicit parameters of \(curve)", .explicitCurveParameters) {
                    let pair = try KeyPair.ec(curve)
                    #expect(EVP_PKEY_set_utf8_string_param(pair.pointer, OSSL_PKEY_PARAM_EC_ENCODING, "explicit") == 1)
                    return pair.spki
                },
                .spki("a compressed point on \(curve)", .compressedPoint) {
                    try pointForm("compressed", curve)
                },
                .spki("a hybrid point on \(curve)", .compressedPoint) { try pointForm("hybrid", curve) },
                .spki("a point off \(curve)", .pointNotOnCurve) {
                    var spki = try KeyPair.ec(curve).spki
                    spki[spki.count - 1] ^= 1
                    return spki
                },
                .spki("coordinates beyond the field of \(curve)", .pointNotOnCurve) {
                    let spki = try KeyPair.ec(curve).spki
                    let count = 2 * ((curve.keySize + 7) / 8)
                    return spki.dropLast(count) + [UInt8](repeating: 0xFF, count: count)
                },
                .spki("zeros on \(curve)", .pointNotOnCurve) {
                    let spki = try KeyPair.ec(curve).spki
                    let count = 2 * ((curve.keySize + 7) / 8)
                    return spki.dropLast(count) + [UInt8](repeating: 0, count: count)
                },
            ]
        } + [
            .spki("the point at infinity", .pointAtInfinity) { DER.p256SPKI([0]) },
            .spki("no point", .invalidDER) { DER.p256SPKI([]) },
            .spki("a point of another curve", .invalidDER) { try DER.p256SPKI(KeyPair.ec(.p384).publicKeyBytes) },
            .spki("no curve", .invalidDER) {
                try DER.sequence(DER.sequence(DER.ecPublicKey), DER.bitString(KeyPair.ec(.p256).publicKeyBytes))
            },
            .spki("NULL for a curve", .invalidDER) {
                try DER.sequence(
                    DER.sequence(DER.ecPublicKey, DER.null), DER.bitString(KeyPair.ec(.p256).publicKeyBytes))
            },
            .spki("a curve without a name", .unsupportedCurve("1.2.3.4")) {
                try DER.sequence(
                    DER.sequence(DER.ecPublicKey, [0x06, 3, 0x2A, 3, 4]),
                    DER.bitString(KeyPair.ec(.p256).publicKeyBytes))
            },
        ]

    static let algorithms: [Refusal] = [
        .spki("Ed25519", .ed25519) { try KeyPair.generate("ED25519").spki },
        .spki("Ed448", .unsupportedAlgorithm("ED448")) { try KeyPair.generate("ED448").spki },
        .spki("X25519", .unsupportedAlgorithm("X25519")) { try KeyPair.generate("X25519").spki },
        .spki("RSA for PSS alone", .rsaPSSOnly) {
            let pss: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A]
            return try DER.sequence(DER.sequence(pss), DER.bitString(KeyPair.rsa2048.get().publicKeyBytes))
        },
        .spki("DSA", .dsa) {
            let dsa: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x01]
            let parameters = DER.sequence(DER.positive(modulus), DER.positive(e), DER.positive([2]))
            return DER.sequence(DER.sequence(dsa, parameters), DER.bitString(DER.positive(modulus)))
        },
        .spki("an algorithm without a name", .unsupportedAlgorithm("1.2.3.4")) {
            DER.sequence(DER.sequence([0x06, 3, 0x2A, 3, 4]), DER.bitString([1, 2, 3]))
        },
    ]

    static let privateKeys: [Refusal] =
        ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"].map {
            label in
            Refusal("a block labelled \(label)", .privateKey) {
                try pem(label, KeyPair.rsa2048.get().privateKeyBytes)
            }
        } + [
            Refusal("a private key after a public one", .privateKey) {
                try good() + pem("PRIVATE KEY", KeyPair.ec(.p256).privateKeyBytes)
            },
            Refusal("a private key before a public one", .privateKey) {
                try pem("EC PRIVATE KEY", KeyPair.ec(.p256).privateKeyBytes) + good()
            },
            Refusal("a cut private key", .privateKey) {
                try String(pem("RSA PRIVATE KEY", KeyPair.rsa2048.get().privateKeyBytes).prefix(200))
            },
            .spki("a PKCS#1 private key under a public label", .privateKey) {
                try KeyPair.rsa2048.get().privateKeyBytes
            },
            .spki("a SEC 1 private key under a public label", .privateKey) {
                try KeyPair.ec(.p256).privateKeyBytes
            },
            .spki("a PKCS#8 private key under a public label", .privateKey) {
                let pair = try KeyPair.rsa2048.get()
                return DER.sequence(
                    DER.integer([0]), DER.sequence(DER.rsaEncryption, DER.null), DER.element(4, pair.privateKeyBytes))
            },
            .pkcs1("a PKCS#1 private key under the label of its public form", .privateKey) {
                try KeyPair.rsa2048.get().privateKeyBytes
            },
        ]
}

/// The SubjectPublicKeyInfo of a new key on this curve, its point written in another form.
private func pointForm(_ form: String, _ curve: Curve) throws -> [UInt8] {
    let pair = try KeyPair.ec(curve)
    let name = OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT
    #expect(EVP_PKEY_set_utf8_string_param(pair.pointer, name, form) == 1)
    return pair.spki
}
