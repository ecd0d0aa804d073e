import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@testable import KMSService
@testable import NCloudKMS

@Suite struct RenderedResultsTests {
    private let loop: EventLoop
    private let results: RenderedResults
    private let answer: PublicKeyAnswer

    init() async throws {
        loop = try EventLoop()
        results = RenderedResults(on: loop)
        let key = try PublicKey(pem: Array(try await OpenSSLKeyPair.ec("P-256").publicKey.utf8))
        answer = PublicKeyAnswer(
            keyTag: try KeyTag("k"), version: nil, fetched: FetchedKey(key: key, attempts: 1, requestID: nil),
            source: .cache, age: .zero)
    }

    private func remember(_ params: String) throws {
        let result = try RenderedKey(answer, formats: [])
        loop.run {
            results.remember(result, of: answer, PublicKeyQuery(keyTag: answer.keyTag), Array(params.utf8))
            loop.stop()
        }
    }

    private func knows(_ params: String) -> Bool {
        var isKnown = false
        loop.run {
            isKnown = Array(params.utf8).withUnsafeBufferPointer { results.result(for: $0) != nil }
            loop.stop()
        }
        return isKnown
    }

    @Test func `only the very same bytes are known`() throws {
        try remember(#"{"keyTag":"k"}"#)
        #expect(knows(#"{"keyTag":"k"}"#))
        for other in [#"{"keyTag":"l"}"#, #"{"keyTag":"k" }"#, #"["k"]"#, ""] { #expect(!knows(other)) }
    }

    @Test func `as many as the cache holds are known at once, nearly all of them`() throws {
        let params = (0..<1_024).map { #"{"keyTag":"key-\#($0)"}"# }
        for each in params { try remember(each) }
        #expect(params.count(where: knows) > 950)
    }

    @Test func `new ones drive old ones out, and themselves stay`() throws {
        for number in 0..<20_000 {
            try remember(#"["key-\#(number)"]"#)
            #expect(knows(#"["key-\#(number)"]"#))
        }
        #expect((0..<20_000).count { knows(#"["key-\#($0)"]"#) } <= 2_048)
    }

    @Test func `the same parameters take one place`() throws {
        for _ in 0..<10_000 { try remember(#"["a"]"#) }
        try remember(#"["b"]"#)
        #expect(knows(#"["a"]"#) && knows(#"["b"]"#))
    }

    @Test func `long parameters are not remembered`() throws {
        let fitting = #"{"_meta":"\#(String(repeating: "x", count: RenderedResults.maximumParameterBytes - 12))"}"#
        #expect(fitting.utf8.count == RenderedResults.maximumParameterBytes)
        try remember(fitting)
        #expect(knows(fitting))
        let long = fitting.replacing("_meta", with: "_meta2")
        try remember(long)
        #expect(!knows(long))
    }
}
