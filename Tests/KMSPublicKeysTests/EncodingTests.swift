import KMSJSON
import KMSPlatform
import KMSPublicKeys
import Testing

@Suite struct EncodingTests {
    private func jwk(_ key: PublicKey) -> String { key.jwk }

    @Test func `the thumbprint of RFC 7638, section 3.1`() throws {
        #expect(try RFCKeys.key(rsa: RFCKeys.rsa2048).jwkThumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    }

    @Test func `the keys of RFC 7517 and RFC 7520 are written as they print them`() throws {
        for rsa in [RFCKeys.rsa2048, RFCKeys.bilboRSA] {
            let key = try RFCKeys.key(rsa: rsa)
            let kid = key.jwkThumbprint
            #expect(jwk(key) == #"{"kty":"RSA","kid":"\#(kid)","n":"\#(rsa.n)","e":"AQAB"}"#)
        }
        let points = [
            (key: try RFCKeys.key(p256: RFCKeys.p256), crv: "P-256", point: RFCKeys.p256),
            (key: try RFCKeys.key(p521: RFCKeys.bilboP521), crv: "P-521", point: RFCKeys.bilboP521),
        ]
        for (key, crv, (x, y)) in points {
            let kid = key.jwkThumbprint
            #expect(jwk(key) == #"{"kty":"EC","kid":"\#(kid)","crv":"\#(crv)","x":"\#(x)","y":"\#(y)"}"#)
        }
    }

    @Test(arguments: [
        (Curve.p256, "ES256"), (.p384, "ES384"), (.p521, "ES512"), (.secp256k1, "ES256K"),
    ])
    func `in a set of verifying keys an EC key has use and alg`(_ curve: Curve, _ algorithm: String) throws {
        let key = try PublicKey(KeyPair.ec(curve))
        var json = JSONWriter()
        key.writeVerifyingJWK(to: &json)
        let plain = jwk(key)
        let usage = #""kid":"\#(key.jwkThumbprint)","use":"sig","alg":"\#(algorithm)","#
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == plain.replacing(#""kid":"\#(key.jwkThumbprint)","#, with: usage))
    }

    @Test func `in a set of verifying keys an RSA key has use, and no alg`() throws {
        let key = try RFCKeys.key(rsa: RFCKeys.rsa2048)
        var json = JSONWriter()
        key.writeVerifyingJWK(to: &json)
        let members = try JSONValue(parsing: json.bytes).members?.map(\.name)
        #expect(members == ["kty", "kid", "use", "n", "e"])
    }

    @Test func `the thumbprint of an EC key is over crv, kty, x and y`() throws {
        let (x, y) = RFCKeys.p256
        let members = #"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#
        let thumbprint = Base64.encodeForURL(HashFunction.sha256.digest(of: Array(members.utf8)))
        #expect(try RFCKeys.key(p256: RFCKeys.p256).jwkThumbprint == thumbprint)
    }

    @Test func `PEM has 64 columns and ends in a line end`() throws {
        let pair = try KeyPair.rsa2048.get()
        let key = try PublicKey(pem("RSA PUBLIC KEY", pair.publicKeyBytes, lineEnd: "\r\n", columns: 76))
        #expect(key.spkiPEM == pem("PUBLIC KEY", pair.spki))
        #expect(key.pkcs1PEM == pem("RSA PUBLIC KEY", pair.publicKeyBytes))
        #expect(key.derBase64 == Base64.encode(pair.spki))
    }

    @Test func `what is written is read back as the same key`() throws {
        for pair in [try KeyPair.rsa2048.get(), try KeyPair.rsa3072.get(), try KeyPair.ec(.p384)] {
            let key = try PublicKey(pair)
            for text in [key.spkiPEM, key.pkcs1PEM].compactMap({ $0 }) {
                #expect(try PublicKey(text).spki == pair.spki)
            }
        }
    }

    @Test(arguments: Curve.allCases)
    func `an EC key has no PKCS#1 form`(curve: Curve) throws {
        #expect(try PublicKey(KeyPair.ec(curve)).pkcs1PEM == nil)
    }

    @Test func `a secp256k1 key has no OpenSSH form`() throws {
        let key = try PublicKey(KeyPair.ec(.secp256k1))
        #expect(key.sshLine(comment: "k") == nil)
        #expect(key.sshFingerprint == nil)
    }

    @Test(arguments: [
        ("my-key", " my-key"), ("", ""), ("two words", " two words"), ("a\nssh-rsa AAAA", " assh-rsa AAAA"),
        ("\r\n\t\0\u{2028}", ""), ("키", " 키"),
    ])
    func `an OpenSSH line stays one line`(comment: String, ending: String) throws {
        let key = try RFCKeys.key(p256: RFCKeys.p256)
        let line = try #require(key.sshLine(comment: comment))
        let bare = try #require(key.sshLine(comment: ""))
        #expect(line == bare + ending)
        #expect(bare.hasPrefix("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB"))
    }
}
