import KMSPlatform
import Testing

@testable import KMSCommands

@Suite struct SigstoreDeadlineTests {
    /// 2026-11-26T09:00:00Z.
    private static let now: Int64 = 1_795_683_600_000

    @Test(
        arguments: [
            ([], 30_000), (["2026-11-26T09:00:10Z"], 9_750), (["2026-11-26T09:00:10.5Z"], 10_250),
            (["2026-11-26T18:00:10.123456789+09:00"], 9_873), (["2026-11-26T01:30:10-07:30"], 9_750),
            (["2026-11-26T10:00:10Z", "2026-11-26T09:00:05Z", "2026-11-26T09:00:07Z"], 4_750),
            (["2026-11-26T09:00:00.251Z"], 1), (["2026-11-26T09:05:00.25Z"], 300_000),
            (["2026-11-26T09:05:01Z"], 300_000), (["9999-12-31T23:59:59Z"], 300_000),
        ] as [([String], Int64)])
    func `the earliest counts, less what an error needs to arrive, and at most 300 s`(
        _ deadlines: [String], _ milliseconds: Int64
    ) throws {
        #expect(try SigstoreDeadline.time(until: deadlines, now: Self.now) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        ["2026-11-26T09:00:00Z"], ["2026-11-26T08:59:59.999Z"], ["2026-11-26T09:00:00.25Z"], ["0001-01-01T00:00:00Z"],
        ["2026-11-26T10:00:00Z", "2025-04-01T02:47:00Z"],
    ])
    func `a deadline that has passed is an error`(_ deadlines: [String]) {
        #expect(throws: SigstoreError("the deadline of the call has passed: allow more time")) {
            try SigstoreDeadline.time(until: deadlines, now: Self.now)
        }
    }

    @Test(arguments: ["", "tomorrow", "2026-11-26", "2026-11-26T09:00:10", "2026-13-26T09:00:10Z", "1795683600"])
    func `what is no time is an error`(_ text: String) {
        let error = #expect(throws: SigstoreError.self) { try SigstoreDeadline.time(until: [text], now: Self.now) }
        #expect(error?.message.hasPrefix("ctxDeadline must be a time in RFC 3339 format") == true)
    }

    /// Each of the four places, in turn.
    @Test(arguments: [
        #"{"initOptions":{"ctxDeadline":"D"},"methodName":"publicKey"}"#,
        #"{"initOptions":{"rpcOptions":{"ctxDeadline":"D"}},"methodName":"defaultAlgorithm"}"#,
        #"{"methodName":"publicKey","publicKey":{"publicKeyOptions":{"rpcOptions":{"ctxDeadline":"D"}}}}"#,
        #"{"methodName":"verifySignature","verifySignature":{"verifyOptions":{"rpcOptions":{"ctxDeadline":"D"}}}}"#,
        #"{"methodName":"createKey","createKey":{"ctxDeadline":"D"}}"#,
    ])
    func `a deadline is found in each place`(_ text: String) throws {
        func time(_ deadline: String) throws(SigstoreError) -> Duration {
            let text = text.replacing(#""D""#, with: deadline)
            return try SigstoreDeadline.time(
                for: SigstoreArguments([Array("v1".utf8), Array(text.utf8)]), now: Self.now)
        }
        #expect(try time(#""2026-11-26T09:00:02Z""#) == .milliseconds(1_750))
        #expect(try time("null") == .seconds(30))
        #expect(throws: SigstoreError.self) { try time("7") }
    }
}
