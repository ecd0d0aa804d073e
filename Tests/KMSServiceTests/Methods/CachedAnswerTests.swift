import KMSJSON
import KMSEmulator
import KMSPlatform
import Testing

@Suite(.timeLimit(.minutes(5))) struct CachedAnswerTests {
    private static let plain = #"{"keyTag":"demo-rsa"}"#
    private static let aged = #"{"keyTag":"demo-rsa","maxAgeMs":60000}"#

    private static let spellings = [
        plain,
        #"["demo-rsa"]"#,
        #"[ "demo-rsa" , null , null ]"#,
        #"{ "keyTag" : "demo-rsa" }"#,
        #"{"keyTag":"\u0064emo-rsa"}"#,
        #"{"keyTa\u0067":"demo-rsa"}"#,
        #"{"keyTag":"demo-rsa","keyVersion":null,"formats":null,"maxAgeMs":null,"timeoutMs":null}"#,
        #"{"keyTag":"demo-rsa","keyVersion":3}"#,
        #"{"keyVersion":3.0,"keyTag":"demo-rsa"}"#,
        #"{"keyTag":"demo-rsa","keyVersion":30e-1}"#,
        #"["demo-rsa",1]"#,
        #"{"keyTag":"demo-rsa","formats":[]}"#,
        #"{"keyTag":"demo-rsa","formats":["jwk","spki","der","ssh","pkcs1","jwk"]}"#,
        #"{"keyTag":"demo-ec","formats":["ssh","jwk"]}"#,
        #"["demo-ec",null,["der"],300000,1]"#,
        #"{"keyTag":"demo-rsa","maxAgeMs":86400000}"#,
        #"{"keyTag":"demo-rsa","timeoutMs":1}"#,
        #"{"keyTag":"demo-rsa","_meta":{"é":[1,{"a":"}"}]}}"#,
    ]

    @Test(arguments: spellings)
    func `answers at once are byte for byte those of a call`(_ params: String) throws {
        let session = try CachedSession()
        _ = try session.call(#"{"keyTag":"demo-rsa"}"#)
        for tag in [#""demo-rsa",1"#, #""demo-rsa",3"#, #""demo-ec""#] { _ = try session.call("[\(tag)]") }

        session.clock.advance(by: .milliseconds(1_234))
        #expect(try session.answerAtOnce(params) == nil, "nothing is known of it yet")
        let called = try session.callInBatch(params)
        #expect(called.contains(#""source":"cache","ageMs":1234,"#))
        #expect(try session.answerAtOnce(params).map { "\"result\":\($0)" } == called)
        #expect(try session.call(params) == called)

        session.clock.advance(by: .milliseconds(98_766))
        let later = try session.call(params)
        #expect(later == called.replacing("\"ageMs\":1234,", with: "\"ageMs\":100000,"))
        #expect(try session.callInBatch(params) == later)
    }

    @Test(arguments: [
        #"{"keyTag":"demo-rsa","maxAgeMs":0}"#, #"{"keyTag":"demo-aes"}"#, #"{"keyTag":"demo-rsa","keyVersion":"1"}"#,
        #"{"keyTag":"demo-ec","formats":["pkcs1"]}"#, #"{"keyTag":""}"#, "[]", "{}",
    ])
    func `what the cache can't answer is never answered at once`(_ params: String) throws {
        let session = try CachedSession()
        for _ in 0..<3 {
            _ = try session.call(params)
            #expect(try session.answerAtOnce(params) == nil)
        }
    }

    /// A session that answers these parameters at once.
    private func warm(_ params: String) throws -> CachedSession {
        let session = try CachedSession()
        _ = try session.call(params)
        session.clock.advance(by: .milliseconds(1))
        _ = try session.call(params)
        try #require(try session.answerAtOnce(params) != nil)
        return session
    }

    @Test func `a call's own age limit holds`() throws {
        let session = try warm(Self.aged)
        session.clock.advance(by: .milliseconds(59_999))
        #expect(try session.answerAtOnce(Self.aged) != nil)
        session.clock.advance(by: .milliseconds(1))
        #expect(try session.answerAtOnce(Self.aged) == nil)
        #expect(try session.call(Self.aged).contains(#""source":"kms""#))
        #expect(session.fetches(of: "demo-rsa") == 2)
    }

    @Test func `an expired key is fetched anew`() throws {
        let session = try warm(Self.plain)
        session.clock.advance(by: .seconds(300))
        #expect(try session.answerAtOnce(Self.plain) == nil)
        #expect(try session.call(Self.plain).contains(#""source":"kms","ageMs":0,"#))
    }

    @Test func `answers at once refresh ahead, and are then rendered anew`() throws {
        let session = try warm(Self.plain)
        session.clock.advance(by: CachedSession.refreshAge)
        let old = try #require(try session.answerAtOnce(Self.plain))
        #expect(old.contains(#""ageMs":280001,"#))
        // It joins the refresh, or finds its outcome.
        let young = try session.call(Self.aged)
        #expect(session.fetches(of: "demo-rsa") == 2)

        #expect(try session.answerAtOnce(Self.plain) == nil, "the cache has another fetch's answer")
        let new = try session.call(Self.plain)
        #expect(new.contains(#""source":"cache","ageMs":0,"#))
        #expect(try requestID(in: new) == requestID(in: young))
        #expect(try session.answerAtOnce(Self.plain).map { "\"result\":\($0)" } == new)
        #expect(session.fetches(of: "demo-rsa") == 2)
    }

    private func requestID(in outcome: String) throws -> String? {
        try JSONValue(parsing: "{\(outcome)}")["result"]?["requestId"]?.string
    }

    @Test func `a key that the service says is gone is answered no more`() throws {
        let session = try warm(Self.plain)
        session.emulator.setSeed(Seed())
        #expect(try session.call(#"{"keyTag":"demo-rsa","maxAgeMs":0}"#).contains(#""code":1004"#))
        #expect(try session.answerAtOnce(Self.plain) == nil)
        #expect(try session.call(Self.plain).contains(#""code":1004"#))
    }

    @Test func `getStatus counts every answer at once`() throws {
        let session = try warm(Self.plain)
        func figures() throws -> (hits: Int?, misses: Int?) {
            let cache = try JSONValue(parsing: "{\(session.call("[]", method: "getStatus"))}")["result"]?["cache"]
            return (cache?["hits"]?.integer, cache?["misses"]?.integer)
        }
        let before = try figures()
        for _ in 0..<10 { _ = try session.call(Self.plain) }
        let after = try figures()
        #expect(after.hits == before.hits.map { $0 + 10 })
        #expect(after.misses == before.misses)
    }
}
