import KMSJSON
import KMSJSONRPC
import KMSService
import NCloudKMS
import Testing

@testable import KMSCommands

/// An error of a command reads like that of a request, for programs that use both.
@Suite struct CommandErrorTests {
    private static func json(_ value: some JSONWritable) -> String {
        var json = JSONWriter()
        json.value(value)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test(arguments: KMSError.Code.allCases.filter { $0 != .cancelled })
    func `an error of the client is that of the wire`(_ code: KMSError.Code) {
        var error = KMSError(code, "A sentence.", reason: "a-reason", retryAfter: .nanoseconds(1))
        #expect(Self.json(CommandError(error)) == Self.json(RPCError(error)))
        error.attempts = 3
        error.httpStatus = 503
        error.kmsCode = "CODE"
        error.kmsMessage = "A message."
        error.requestID = "an-id"
        error.keyTag = "a-tag"
        #expect(Self.json(CommandError(error)) == Self.json(RPCError(error)))
        #expect(error.details.map(\.name).count == 8)
    }

    @Test func `so is a value that is not valid, and a fault of ours`() {
        let invalid = InvalidValue("keyTag", "must be shorter")
        #expect(Self.json(CommandError(invalid)) == Self.json(RPCError(invalid)))
        #expect(
            Self.json(CommandFailure.internalFault("a reason").error) == Self.json(RPCError.internalError("a reason")))
    }
}
