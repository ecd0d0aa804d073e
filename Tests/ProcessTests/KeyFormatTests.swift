import KMSJSON
import KMSEmulator
import KMSPublicKeys
import KMSTestSupport
import Testing

/// `formats` of `getPublicKey`, on every type of key.
@Suite(.timeLimit(.minutes(5))) struct KeyFormatTests {
    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    private func answers(_ params: String...) async throws -> [JSONValue] {
        try await Self.kms.value.answers(to: "getPublicKey", params)
    }

    private func names(_ answer: JSONValue) -> [String] { answer["result"]?.members?.map(\.name) ?? [answer.text] }

    private static let head = ["keyTag", "keyVersion", "publicKey", "keyType", "keySize"]
    private static let tail = ["source", "ageMs", "attempts", "requestId"]

    @Test func `the members have one order, however the formats were asked for`() async throws {
        let answers = try await answers(
            #"{"keyTag":"rsa"}"#,
            #"{"keyTag":"rsa","formats":[]}"#,
            #"{"keyTag":"rsa","formats":null}"#,
            #"{"keyTag":"rsa","formats":["ssh","jwk","der","pkcs1","spki"]}"#,
            #"{"keyTag":"rsa","formats":["jwk","spki","jwk","spki","jwk"]}"#,
            #"{"keyTag":"ec","formats":["ssh","jwk","der","spki"]}"#,
            #"{"keyTag":"k1","formats":["jwk","der","spki"]}"#)
        let plain = Self.head + ["spkiSha256"] + Self.tail
        for answer in answers[0...2] { #expect(names(answer) == plain) }
        let all = ["spkiSha256", "spki", "pkcs1", "der", "jwk", "ssh", "sshFingerprint"]
        #expect(names(answers[3]) == Self.head + all + Self.tail)
        #expect(names(answers[4]) == Self.head + ["spkiSha256", "spki", "jwk"] + Self.tail)
        let curve = ["curve", "spkiSha256", "spki", "der", "jwk"]
        #expect(names(answers[5]) == Self.head + curve + ["ssh", "sshFingerprint"] + Self.tail)
        #expect(names(answers[6]) == Self.head + curve + Self.tail)
    }

    @Test(
        arguments: [
            ("rsa", "RSA", 2_048, nil, ["kty", "kid", "n", "e"]),
            ("ec", "EC", 256, "P-256", ["kty", "kid", "crv", "x", "y"]),
            ("p384", "EC", 384, "P-384", ["kty", "kid", "crv", "x", "y"]),
            ("p521", "EC", 521, "P-521", ["kty", "kid", "crv", "x", "y"]),
            ("k1", "EC", 256, "secp256k1", ["kty", "kid", "crv", "x", "y"]),
        ] as [(String, String, Int, String?, [String])])
    func `every format is the key that the PEM holds`(
        _ keyTag: String, _ type: String, _ size: Int, _ curve: String?, _ jwkNames: [String]
    ) async throws {
        var formats = ["spki", "der", "jwk"]
        if type == "RSA" { formats.append("pkcs1") }
        if curve != "secp256k1" { formats.append("ssh") }
        let list = formats.map { "\"\($0)\"" }.joined(separator: ",")
        let answers = try await answers(#"{"keyTag":"\#(keyTag)","formats":[\#(list)]}"#)
        let result = try #require(answers[0]["result"])
        #expect(result["keyType"]?.string == type)
        #expect(result["keySize"]?.integer == size)
        #expect(result["curve"]?.string == curve)

        let pem = try #require(result["publicKey"]?.string)
        let key = try PublicKey(pem: Array(pem.utf8))
        #expect(result["spki"]?.string == pem, "openssl writes it as RFC 7468 does")
        #expect(result["der"]?.string == key.derBase64)
        #expect(result["pkcs1"]?.string == key.pkcs1PEM)
        #expect(result["ssh"]?.string == key.sshLine(comment: keyTag))
        #expect(result["sshFingerprint"]?.string == key.sshFingerprint)
        #expect(result["jwk"]?.members?.map(\.name) == jwkNames)
        #expect(result["jwk"]?["kid"]?.string == key.jwkThumbprint)
        #expect(result["jwk"]?["crv"]?.string == curve)
    }

    @Test func `what a key does not have, and what is no format, is -32602`() async throws {
        let answers = try await answers(
            #"{"keyTag":"ec","formats":["pkcs1"]}"#, #"{"keyTag":"k1","formats":["pkcs1"]}"#,
            #"{"keyTag":"k1","formats":["ssh"]}"#, #"{"keyTag":"k1","formats":["jwk","ssh"]}"#,
            #"{"keyTag":"rsa","formats":["pem"]}"#, #"{"keyTag":"rsa","formats":["JWK"]}"#,
            #"{"keyTag":"rsa","formats":["jwk",""]}"#, #"{"keyTag":"rsa","formats":["jwk",1]}"#,
            #"{"keyTag":"rsa","formats":"jwk"}"#, #"{"keyTag":"rsa","formats":{}}"#,
            #"{"keyTag":"rsa","formats":[null]}"#)
        for answer in answers {
            #expect(answer.errorCode == -32602, "\(answer.text)")
            #expect(answer.errorParameter == "formats")
        }
    }
}
