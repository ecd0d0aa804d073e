import Testing

@testable import KMSEmulator

@Suite struct SeedTests {
    private func parse(_ text: String) throws(SeedError) -> Seed { try Seed(parsing: Array(text.utf8)) }

    @Test func `everything that the format has is read`() throws {
        let seed = try parse(
            #"""
            {"accessKeys": [{"id": "i", "secret": "s=s", "permissions": ["get-pub-key", "get-pub-key:a"]},
                            {"id": "j", "secret": "t"}],
             "keys": [{"keyTag": "a", "keyType": "RSA2048", "status": "DISABLE",
                       "versions": [{"version": 2, "status": "REVOKE", "publicKey": "garbage \n"},
                                    {"version": 1, "rawAnswer": {"status": 599, "contentType": "t/x",
                                     "headers": {"Age": "5"}, "bodyBase64": "AP8="}}]},
                      {"keyTag": "b", "keyType": "AES256", "versions": [{"version": 100}]},
                      {"keyTag": "c", "keyType": "ECDSA", "rawAnswer": {"status": 200, "body": "x"}}],
             "tokens": [{"token": "t1", "keyTag": "a", "expiresAt": 5}, {"token": "t2", "keyTag": "a", "expiresAt": "UL"}]}
            """#)
        let raw = Answer(status: 599, contentType: "t/x", headers: [.init("Age", "5")], body: [0, 255])
        let expected = Seed(
            accessKeys: [
                .init(id: "i", secret: "s=s", permissions: [.init(), .init(keyTag: "a")]), .init(id: "j", secret: "t"),
            ],
            keys: [
                .init(
                    keyTag: "a", keyType: .rsa2048, status: .disabled,
                    versions: [
                        .init(2, status: .revoked, publicKey: "garbage \n"), .init(1, publicKey: nil, rawAnswer: raw),
                    ]),
                .init(keyTag: "b", keyType: .aes256, versions: [.init(100, publicKey: nil)]),
                .init(
                    keyTag: "c", keyType: .ecdsa,
                    rawAnswer: Answer(status: 200, contentType: nil, body: [UInt8(ascii: "x")])),
            ],
            tokens: [
                .init(token: "t1", keyTag: "a", expiresAtMilliseconds: 5), .init(token: "t2", keyTag: "a"),
            ])
        #expect(seed == expected)
    }

    @Test func `without access keys there is the one of the demo`() throws {
        #expect(try parse("{\"keys\":[]}").accessKeys == [.demo])
    }

    private static let key = #""keyTag":"a","keyType":"RSA2048""#

    @Test(arguments: [
        ("", "", "not valid JSON: the text is empty, at byte 0"),
        ("[]", "", "must be an object"),
        ("{}", "", "the member \"keys\" is missing"),
        ("{\"keys\":[],\"kyes\":[]}", "", "unknown member \"kyes\"; the members are accessKeys, keys, role, tokens"),
        ("{\"keys\":[],\"keys\":[]}", "", "the member \"keys\" occurs twice"),
        ("{\"keys\":{}}", "keys", "must be an array"),
        ("{\"keys\":[],\"accessKeys\":[]}", "accessKeys", "must have at least one access key"),
        ("{\"keys\":[],\"accessKeys\":[{\"id\":\"\",\"secret\":\"s\"}]}", "accessKeys[0].id", "must not be empty"),
        (
            "{\"keys\":[],\"accessKeys\":[{\"id\":\"i\",\"secret\":\"s\",\"permissions\":[\"sign\"]}]}",
            "accessKeys[0].permissions[0]", "must be \"get-pub-key\" or \"get-pub-key:TAG\""
        ),
        ("{\"keys\":[{\(key)},{\(key)}]}", "keys[1].keyTag", "\"a\" occurs twice"),
        (
            "{\"keys\":[{\"keyTag\":\"a\",\"keyType\":\"RSA\"}]}", "keys[0].keyType",
            "must be one of AES256, RSA2048, ECDSA"
        ),
        ("{\"keys\":[{\(key),\"status\":\"on\"}]}", "keys[0].status", "must be one of ENABLE, DISABLE, REVOKE"),
        (
            "{\"keys\":[{\(key),\"versions\":[{\"version\":101,\"generate\":true}]}]}", "keys[0].versions[0].version",
            "must be an integer from 1 to 100"
        ),
        (
            "{\"keys\":[{\(key),\"versions\":[{\"version\":1,\"publicKey\":\"\"},{\"version\":1,\"publicKey\":\"\"}]}]}",
            "keys[0].versions[1].version", "\"1\" occurs twice"
        ),
        (
            "{\"keys\":[{\(key),\"versions\":[{\"version\":1}]}]}", "keys[0].versions[0]",
            "one of publicKey, privateKey, generate, rawAnswer is missing"
        ),
        (
            "{\"keys\":[{\(key),\"versions\":[{\"version\":1,\"publicKey\":\"\",\"generate\":true}]}]}",
            "keys[0].versions[0]", "give only one of publicKey, generate"
        ),
        (
            "{\"keys\":[{\(key),\"versions\":[{\"version\":1,\"privateKey\":\"x\"}]}]}",
            "keys[0].versions[0].privateKey", "must be a private key as PEM, without a passphrase"
        ),
        (
            "{\"keys\":[{\(key),\"rawAnswer\":{\"status\":600}}]}", "keys[0].rawAnswer.status",
            "must be an integer from 200 to 599"
        ),
        (
            "{\"keys\":[{\(key),\"rawAnswer\":{\"status\":200,\"headers\":{\"A\":\"x\\ny\"}}}]}",
            "keys[0].rawAnswer.headers.A", "is not a valid header, or is one that the server sets itself"
        ),
        (
            "{\"keys\":[{\(key),\"rawAnswer\":{\"status\":200,\"headers\":{\"Content-Length\":\"5\"}}}]}",
            "keys[0].rawAnswer.headers.Content-Length", "is not a valid header, or is one that the server sets itself"
        ),
        (
            "{\"keys\":[{\(key),\"rawAnswer\":{\"status\":200,\"bodyBase64\":\"A\"}}]}",
            "keys[0].rawAnswer.bodyBase64", "must be Base64"
        ),
        (
            "{\"keys\":[],\"tokens\":[{\"token\":\"t\",\"keyTag\":\"z\"}]}", "tokens[0].keyTag",
            "no key of the seed has the tag \"z\""
        ),
        (
            "{\"keys\":[{\(key)}],\"tokens\":[{\"token\":\"t\",\"keyTag\":\"a\",\"expiresAt\":\"never\"}]}",
            "tokens[0].expiresAt", "must be milliseconds since 1970 or \"UL\""
        ),
        ("{\"keys\":[],\"role\":{}}", "role", "the member \"id\" is missing"),
        (
            "{\"keys\":[],\"role\":{\"id\":\"a/b\"}}", "role.id",
            "must consist of letters, digits and any of .-_~+=,@:"
        ),
        (
            "{\"keys\":[],\"role\":{\"id\":\"r\",\"accessKeyId\":\"NOBODY\"}}", "role.accessKeyId",
            "no access key of the seed has the id \"NOBODY\""
        ),
        (
            "{\"keys\":[],\"role\":{\"id\":\"r\",\"validSeconds\":0}}", "role.validSeconds",
            "must be an integer from 1 to 31536000"
        ),
    ])
    func `a mistake is reported with its place`(text: String, path: String, problem: String) {
        #expect(throws: SeedError(path, problem)) { try parse(text) }
    }

    @Test(arguments: ["====", "A===", "AA=A", "=AAA", "AAAA====", "AA==AAAA", "AP9=", "AP 8", "AP8=\\n", "A-8=", "AAA"])
    func `what is not the one Base64 of some bytes is refused`(text: String) {
        #expect(throws: SeedError("keys[0].rawAnswer.bodyBase64", "must be Base64")) {
            try parse("{\"keys\":[{\(Self.key),\"rawAnswer\":{\"status\":200,\"bodyBase64\":\"\(text)\"}}]}")
        }
    }

    @Test(arguments: [("", []), ("AA==", [0]), ("AAA=", [0, 0]), ("AAAA", [0, 0, 0])] as [(String, [UInt8])])
    func `Base64 of any length is read`(text: String, bytes: [UInt8]) throws {
        let seed = try parse(
            "{\"keys\":[{\(Self.key),\"rawAnswer\":{\"status\":200,\"bodyBase64\":\"\(text)\"}}]}")
        #expect(seed.keys[0].rawAnswer?.body == bytes)
    }

    @Test func `without a role there is one of the first access key`() throws {
        let seed = try parse(#"{"accessKeys":[{"id":"i","secret":"s"},{"id":"j","secret":"t"}],"keys":[]}"#)
        #expect(seed.role == Seed.Role(id: "demo-role", accessKeyID: "i", validSeconds: 21_600))
        let named = #"{"accessKeys":[{"id":"i","secret":"s"},{"id":"j","secret":"t"}],"keys":[],"#
        let role = #""role":{"id":"web","accessKeyId":"j","validSeconds":60}}"#
        #expect(try parse(named + role).role == Seed.Role(id: "web", accessKeyID: "j", validSeconds: 60))
    }

    @Test(arguments: ["AES256"]) func `an AES key has no public half`(type: String) {
        let text = #"{"keys":[{"keyTag":"a","keyType":"\#(type)","versions":[{"version":1,"generate":true}]}]}"#
        #expect(
            throws: SeedError("keys[0].versions[0]", "an AES256 key has no public key, so it can't have \"generate\"")
        ) {
            try parse(text)
        }
    }

    @Test(arguments: [("RSA2048", "Public-Key: (2048 bit)"), ("ECDSA", "NIST CURVE: P-256")])
    func `a made key is one of its type, and new every time`(type: String, expected: String) async throws {
        let text = #"{"keys":[{"keyTag":"a","keyType":"\#(type)","versions":[{"version":1,"generate":true}]}]}"#
        let first = try #require(try parse(text).keys[0].versions[0].publicKey)
        let second = try #require(try parse(text).keys[0].versions[0].publicKey)
        #expect(first != second)
        let result = try await Program.run("/usr/bin/openssl", ["pkey", "-pubin", "-noout", "-text"], input: first)
        #expect(result.output.contains(expected))
    }

    @Test(arguments: [["RSA", "rsa_keygen_bits:2048"], ["EC", "ec_paramgen_curve:P-256"]])
    func `the public half of a private key is served`(algorithm: [String]) async throws {
        let privateKey = try await Program.run(
            "/usr/bin/openssl", ["genpkey", "-algorithm", algorithm[0], "-pkeyopt", algorithm[1]]
        ).output
        let expected = try await Program.run("/usr/bin/openssl", ["pkey", "-pubout"], input: privateKey).output
        let escaped = privateKey.split(separator: "\n").joined(separator: "\\n")
        let type = algorithm[0] == "EC" ? "ECDSA" : "RSA2048"
        let text =
            #"{"keys":[{"keyTag":"a","keyType":"\#(type)","versions":[{"version":1,"privateKey":"\#(escaped)"}]}]}"#
        #expect(try parse(text).keys[0].versions[0].publicKey == expected)
    }

    @Test func `the demo's keys are what they claim to be`() async throws {
        for key in Seed.demo.keys where key.keyType != .aes256 {
            for version in key.versions {
                let pem = try #require(version.publicKey)
                let result = try await Program.run("/usr/bin/openssl", ["pkey", "-pubin", "-pubcheck"], input: pem)
                #expect(result.status == 0)
                #expect(result.output.contains(pem))
            }
        }
        #expect(Seed.demo.keys.map(\.keyTag) == ["demo-rsa", "demo-ec", "demo-aes"])
        #expect(Seed.demo.keys[0].versions.map(\.status) == [.enabled, .disabled, .enabled])
    }
}
