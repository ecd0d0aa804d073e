import KMSPlatform
import KMSPublicKeys
import Testing

@Suite struct PublicKeyTests {
    @Test(arguments: Curve.allCases)
    func `a key on each accepted curve is read`(curve: Curve) throws {
        let pair = try KeyPair.ec(curve)
        let key = try PublicKey(pair)
        #expect(key.keyType == .ec)
        #expect(key.curve == curve)
        #expect(key.keySize == [.p256: 256, .p384: 384, .p521: 521, .secp256k1: 256][curve])
        #expect(key.spki == pair.spki)
        #expect(key.pem == Array(pem("PUBLIC KEY", pair.spki).utf8))
    }

    @Test func `an RSA key is read from either form, to the same SubjectPublicKeyInfo`() throws {
        let pair = try KeyPair.rsa2048.get()
        let spki = try PublicKey(pair)
        let pkcs1 = try PublicKey(pem("RSA PUBLIC KEY", pair.publicKeyBytes))
        for key in [spki, pkcs1] {
            #expect(key.keyType == .rsa)
            #expect(key.keySize == 2_048)
            #expect(key.curve == nil)
            #expect(key.spki == pair.spki)
            #expect(key.spkiSHA256 == Base64.encode(HashFunction.sha256.digest(of: pair.spki)))
        }
    }

    @Test(arguments: [2_048, 2_049, 2_055, 3_072, 4_096, 8_191, 16_383, 16_384])
    func `RSA sizes within the range are read`(bits: Int) throws {
        let pkcs1 = DER.rsaPKCS1(modulus: DER.modulus(bits: bits), exponent: [1, 0, 1])
        #expect(try PublicKey(pem("RSA PUBLIC KEY", pkcs1)).keySize == bits)
        #expect(try PublicKey(pem("PUBLIC KEY", DER.rsaSPKI(pkcs1))).keySize == bits)
    }

    @Test(arguments: [[3], [17], [1, 0, 1], [0x80, 0, 0, 1], [0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]])
    func `odd exponents from 3 to 32 bits are read`(exponent: [UInt8]) throws {
        let pkcs1 = DER.rsaPKCS1(modulus: DER.modulus(bits: 2_048), exponent: exponent)
        #expect(try PublicKey(pem("PUBLIC KEY", DER.rsaSPKI(pkcs1))).keySize == 2_048)
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func `lines may end in any way, and white space may surround the block`(lineEnd: String) throws {
        let pair = try KeyPair.ec(.p256)
        let text = pem("PUBLIC KEY", pair.spki, lineEnd: lineEnd)
        let variants = [
            text, String(text.dropLast()), text + lineEnd + " \t",
            " \t" + lineEnd + text, text.replacing("KEY-----\(lineEnd)", with: "KEY----- \t\(lineEnd)"),
            pem("PUBLIC KEY", pair.spki, lineEnd: lineEnd, columns: 76),
            pem("PUBLIC KEY", pair.spki, lineEnd: lineEnd, columns: 10_000),
            pem("PUBLIC KEY", pair.spki, lineEnd: lineEnd, columns: 1),
        ]
        for variant in variants {
            let key = try PublicKey(variant)
            #expect(key.spki == pair.spki)
            #expect(key.pem == Array(variant.utf8))
        }
    }

    @Test func `the same key from two texts is equal, and other keys are not`() throws {
        let pair = try KeyPair.rsa2048.get()
        let spki = try PublicKey(pem: pem("PUBLIC KEY", pair.spki))
        let pkcs1 = try PublicKey(pem: pem("RSA PUBLIC KEY", pair.publicKeyBytes))
        #expect(spki == pkcs1)
        let keys: Set = [spki, pkcs1, try PublicKey(KeyPair.ec(.p256)), try PublicKey(KeyPair.ec(.p256))]
        #expect(keys.count == 3)
    }

    @Test func `a key prints its type, its size or curve, and its fingerprint`() throws {
        let rsa = try PublicKey(KeyPair.rsa2048.get())
        #expect("\(rsa)" == "RSA 2048 sha256:\(rsa.spkiSHA256)")
        let ec = try PublicKey(KeyPair.ec(.p384))
        #expect("\(ec)" == "EC P-384 sha256:\(ec.spkiSHA256)")
    }

    @Test func `bare keys are those inside the SubjectPublicKeyInfo`() throws {
        let pair = try KeyPair.rsa2048.get()
        let rsa = try PublicKey(pair)
        #expect(rsa.pkcs1 == pair.publicKeyBytes)
        #expect(rsa.x963 == nil)
        let ec = try PublicKey(KeyPair.ec(.p521))
        #expect(ec.pkcs1 == nil)
        let point = try #require(ec.x963)
        #expect(point.count == 1 + 2 * 66)
        #expect(ec.spki.suffix(point.count) == point[...])
    }
}
