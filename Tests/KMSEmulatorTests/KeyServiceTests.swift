import KMSJSON
import Testing

@testable import KMSEmulator

@Suite struct KeyServiceTests {
    private static let now: Int64 = 1_700_000_000_000
    private static let raw = Answer(status: 299, contentType: "x/y", body: [1, 2])
    private let service = KeyService(
        Seed(
            accessKeys: [.demo, Seed.AccessKey(id: "limited", secret: "s", permissions: [.init(keyTag: "rsa")])],
            keys: [
                Seed.Key(
                    keyTag: "rsa", keyType: .rsa2048,
                    versions: [
                        Seed.Version(1, publicKey: "one"), Seed.Version(2, status: .disabled, publicKey: "two"),
                        Seed.Version(7, publicKey: "seven"), Seed.Version(100, publicKey: "x", rawAnswer: raw),
                        Seed.Version(3, status: .revoked, publicKey: "three"),
                    ].sorted { $0.number < $1.number }),
                Seed.Key(
                    keyTag: "newest-disabled", keyType: .ecdsa,
                    versions: [
                        Seed.Version(1, publicKey: "one"), Seed.Version(2, status: .disabled, publicKey: "two"),
                    ]),
                Seed.Key(keyTag: "plain", keyType: .ecdsa, versions: [Seed.Version(1, publicKey: "p\n\"q\"")]),
                Seed.Key(keyTag: "aes", keyType: .aes256, versions: [Seed.Version(1, publicKey: nil)]),
                Seed.Key(
                    keyTag: "off", keyType: .rsa2048, status: .disabled,
                    versions: [Seed.Version(1, publicKey: "k")]),
                Seed.Key(
                    keyTag: "revoked", keyType: .rsa2048, status: .revoked,
                    versions: [Seed.Version(1, publicKey: "k")]),
                Seed.Key(
                    keyTag: "raw-aes", keyType: .aes256, status: .disabled,
                    versions: [Seed.Version(1, publicKey: nil, rawAnswer: raw)]),
                Seed.Key(keyTag: "raw", keyType: .rsa2048, rawAnswer: raw),
                Seed.Key(keyTag: "bare", keyType: .rsa2048),
            ]))

    private func reply(
        _ target: String, body: KeyService.Body = .bytes([]), method: String = "POST",
        accessKey: Seed.AccessKey = .demo, isSigned: Bool = true, isAdmitted: Bool = true
    ) -> KeyService.Reply {
        let signature = RequestSignature.compute(
            method: method, target: target, timestamp: "\(Self.now)", accessKey: accessKey.id, secret: accessKey.secret)
        let head = RequestHead(
            method: method, target: target, timestamp: "\(Self.now)", accessKey: accessKey.id,
            signature: isSigned ? signature : nil)
        return service.reply(
            to: head, route: Route(target: target), body: body, wallClockMilliseconds: Self.now
        ) { _ in isAdmitted }
    }

    private func key(_ tag: String, _ body: String = "") -> Answer {
        reply("/kms/v1/keys/\(tag)/get-pub-key", body: .bytes(Array(body.utf8))).answer
    }

    private func expectGateway(
        _ answer: Answer, _ status: Int, _ code: String, _ message: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(answer.status == status, sourceLocation: sourceLocation)
        #expect(answer.contentType == "application/json", sourceLocation: sourceLocation)
        let error = try #require(try JSONValue(parsing: answer.body)["error"])
        #expect(error["errorCode"]?.string == code, sourceLocation: sourceLocation)
        #expect(error["message"]?.string == message, sourceLocation: sourceLocation)
        #expect(error["details"]?.string?.isEmpty == false, sourceLocation: sourceLocation)
    }

    @Test func `a key comes in the shape of the reference`() {
        let expected = #"{"code":"SUCCESS","data":{"publicKey":"p\n\"q\""}}"#
        #expect(key("plain").body == Array(expected.utf8))
        #expect(key("plain").status == 200)
        #expect(key("plain").contentType == "application/json")
    }

    @Test(arguments: [("{\"keyVersion\":1}", "one"), (" { \"keyVersion\" : 7.0, \"other\": [] } ", "seven")])
    func `a version is asked for by its number`(body: String, expected: String) throws {
        let data = try JSONValue(parsing: key("rsa", body).body)["data"]
        #expect(data?["publicKey"]?.string == expected)
    }

    @Test(arguments: ["", "{}", " {} ", "{\"other\":1}"])
    func `without a version the most recent one is meant`(body: String) {
        #expect(key("rsa", body) == Self.raw)
    }

    @Test func `when the most recent version is disabled, an older one does not replace it`() throws {
        #expect(key("newest-disabled", "{}").status == 422)
        #expect(key("newest-disabled", "{\"keyVersion\":1}").status == 200)
    }

    @Test(arguments: [
        ("aes", "{}"), ("aes", "{\"keyVersion\":1}"), ("off", "{}"), ("revoked", "{}"), ("bare", "{}"),
        ("rsa", "{\"keyVersion\":2}"), ("rsa", "{\"keyVersion\":3}"), ("rsa", "{\"keyVersion\":99}"),
    ])
    func `what can't be served is an unprocessable entity of the service`(tag: String, body: String) {
        #expect(key(tag, body).status == 422)
        let expected = #"{"code":"UNPROCESSABLE_ENTITY","msg":"Invalid status","data":null}"#
        #expect(key(tag, body).body == Array(expected.utf8))
    }

    @Test(arguments: [
        "{\"keyVersion\":0}", "{\"keyVersion\":101}", "{\"keyVersion\":-1}", "{\"keyVersion\":1.5}",
        "{\"keyVersion\":\"1\"}", "{\"keyVersion\":null}", "{\"keyVersion\":true}", "{\"keyVersion\":[1]}",
        "{\"keyVersion\":99999999999999999999}", "[]", "1", "\"x\"", "null",
    ])
    func `a version that is not an integer from 1 to 100 is an invalid request`(body: String) {
        #expect(key("plain", body).status == 400)
        let expected = #"{"code":"INVALID_REQUEST","msg":"Invalid request","data":null}"#
        #expect(key("plain", body).body == Array(expected.utf8))
    }

    @Test(arguments: ["{", "{]", "keyVersion=1", "{\"keyVersion\":01}", "{}{}", " ", "\u{0}"])
    func `a body that is not JSON is the gateway's bad request`(body: String) throws {
        try expectGateway(key("plain", body), 400, "100", "Bad Request Exception")
    }

    @Test func `refusals of the gateway have its shape`() throws {
        try expectGateway(key("nobody"), 404, "300", "Not Found Exception")
        for path in ["/", "/kms/v1/keys", "/kms/v1/keys//get-pub-key", "/kms/v1/keys/rsa", "/kms/v1/keys/rsa/sign"] {
            try expectGateway(reply(path).answer, 404, "300", "Not Found Exception")
        }
        let path = "/kms/v1/keys/rsa/get-pub-key"
        let unsigned = reply(path, isSigned: false)
        try expectGateway(unsigned.answer, 401, "200", "Authentication Failed")
        #expect(unsigned.isAuthenticationFailure)
        try expectGateway(reply(path, body: .tooLarge).answer, 413, "430", "Request Entity Too Large")
        let throttled = reply(path, isAdmitted: false)
        try expectGateway(throttled.answer, 429, "410", "Throttle Limited")
        #expect(throttled.isThrottled)
        let limited = Seed.AccessKey(id: "limited", secret: "s")
        #expect(reply(path, accessKey: limited).answer == Self.raw)
        let forbidden = reply("/kms/v1/keys/plain/get-pub-key", accessKey: limited).answer
        try expectGateway(forbidden, 401, "210", "Permission Denied")
    }

    @Test func `another method is refused with the right one`() {
        let answer = reply("/kms/v1/keys/rsa/get-pub-key", method: "GET").answer
        #expect(answer.status == 405)
        #expect(answer.headers == [Answer.Header("Allow", "POST")])
    }

    @Test(arguments: ["{}", "{\"keyVersion\":1}"])
    func `a version's raw answer comes whatever the key's type and state are`(body: String) {
        #expect(key("raw-aes", body) == Self.raw)
    }

    @Test func `a raw answer stands for the key, but not for its credentials`() {
        #expect(key("raw", "no JSON") == Self.raw)
        #expect(reply("/kms/v1/keys/raw/get-pub-key", isSigned: false).answer.status == 401)
    }

    @Test func `the query is signed, and tags may be escaped`() {
        #expect(reply("/kms/v1/keys/%72sa/get-pub-key?a=b").answer == Self.raw)
        #expect(Route(target: "/kms/v1/keys/a%2Fb%zz%/get-pub-key") == .getPublicKey(keyTag: "a/b%zz%"))
        #expect(Route(target: "/_emulator/state?x") == .control(name: "state", query: "x"))
        #expect(Route(target: "/_emulator/state") == .control(name: "state", query: ""))
    }
}
