import KMSJSON
import Testing

@testable import KMSJSONRPC
@testable import KMSService
@testable import NCloudKMS

/// How what a tool comes to is written.
@Suite struct ToolCallTests {
    private func text(_ answer: Answer) -> String { String(decoding: answer.json, as: UTF8.self) }

    private func token(_ meta: String) throws -> String? {
        try Array(meta.utf8).withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            let meta = RawValue(try scanner.scanText(), in: bytes)
            return ToolCall.progressToken(in: meta).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test(arguments: [
        (#"{"progressToken":7}"#, "7"), (#"{"progressToken":0}"#, "0"), (#"{"progressToken":-1}"#, "-1"),
        (#"{"progressToken":"\u00e9"}"#, #""\u00e9""#), (#"{"progressToken":""}"#, #""""#),
        (#"{"progressToken":123456789012345678901234567890}"#, "123456789012345678901234567890"),
        (#"{"progressToken":1.5}"#, nil), (#"{"progressToken":null}"#, nil), (#"{"progressToken":true}"#, nil),
        (#"{"progressToken":[1]}"#, nil), (#"{"progressToken":{}}"#, nil), ("{}", nil),
    ]) func `a token is a string or an integer, and comes back as it was written`(
        _ meta: String, _ expected: String?
    ) throws {
        #expect(try token(meta) == expected)
    }

    @Test func `a notification has the token, and what there is to say`() throws {
        let progress = CallProgress(number: 2, total: 3, message: "attempt 3 of 3")
        let call = ToolCall(era: .legacy, progressToken: Array("7".utf8))
        #expect(call.wantsProgress)
        #expect(
            call.notification(of: progress).map { String(decoding: $0, as: UTF8.self) } == #"""
                {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2,"total":3,\#
                "message":"attempt 3 of 3"}}
                """#)
        #expect(!ToolCall(era: .legacy, progressToken: nil).wantsProgress)
        #expect(ToolCall(era: .legacy, progressToken: nil).notification(of: progress) == nil)
    }

    @Test(arguments: [
        (FetchProgress.Activity.waitingForLimiter, "waiting for the rate limiter"),
        (.attempt(2), "attempt 2 of 3"), (.attempt(3), "attempt 3 of 3"), (.attempt(4), "attempt 4"),
    ]) func `progress in words`(_ activity: FetchProgress.Activity, _ words: String) {
        #expect(FetchProgress(activity: activity, maximumAttempts: 3).message == words)
    }

    @Test func `a result is there as structure and as the same text`() {
        let call = ToolCall(era: .legacy, progressToken: nil)
        #expect(
            text(call.answer(to: .success(Array(#"{"a":"\n\u2028"}"#.utf8)))) == #"""
                {"content":[{"type":"text","text":"{\"a\":\"\\n\\u2028\"}"}],"structuredContent":{"a":"\n\u2028"}}
                """#)
    }

    @Test func `an error is a result without structure, but for a fault of ours`() {
        let call = ToolCall(era: .modern(MCPServer(version: "1.2.3")), progressToken: nil)
        let failure = call.answer(to: .failure(.shuttingDown))
        #expect(!failure.isError)
        #expect(failure.failure == .shuttingDown)
        #expect(
            text(failure).hasPrefix(
                #"{"resultType":"complete","content":[{"type":"text","text":"{\"code\":1012,"#))
        #expect(
            text(failure).hasSuffix(
                #""isError":true,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"ncloud-kms-rpc","title":"NAVER Cloud KMS public keys","version":"1.2.3"}}}"#
            ))
        #expect(call.answer(to: .failure(.internalError("x"))).isError)
    }
}
