import KMSTestSupport
import Testing

/// That transcripts can fail: the format of `protocol/transcripts/README.md`, and the player.
@Suite struct TranscriptFormatTests {
    @Test(arguments: [
        (#"{"a":1}"#, #"{"a":1}"#, true),
        (#"{"a":1}"#, #"{"a":2}"#, false),
        (#"{"a":1}"#, #"{"a":1} "#, false),
        (#"{"a":…,"b":2}"#, #"{"a":{"x":[1,"}"]},"b":2}"#, true),
        (#"{"a":…,"b":2}"#, #"{"a":1,"b":3}"#, false),
        (#"{"a":…}"#, #"{"a":}"#, false),
        (#"{"a":…}"#, #"{"a":1,"b":2}"#, false),
        (#"[…,…]"#, #"[1,2]"#, true),
        (#"[…]"#, #"[1,2]"#, false),
        // In a string it stands for itself.
        (#"{"a":"b…"}"#, #"{"a":"b…"}"#, true),
        (#"{"a":"b…"}"#, #"{"a":"bc"}"#, false),
    ])
    func `an ellipsis stands for one JSON value, everything else for itself`(
        _ expected: String, _ line: String, _ matches: Bool
    ) {
        #expect(TranscriptLine(lineNumber: 1, text: expected).matches(Array(line.utf8)) == matches)
    }

    @Test(arguments: [
        "--> x", "$ ", "$ A=1", "$ p\nhello", "$ p\n-->x", "$ p\n~~> \\q", "$ p\n~~> \\x0", "$ p\n~~> \\*3[a]",
        "$ p\n--! KILL", "$ p\n|-- zero", "$ p\n|-- 0\n--> x", "// nothing",
    ])
    func `what is no transcript is refused`(_ text: String) {
        #expect(throws: Transcript.SyntaxError.self) { try Transcript(parsing: text) }
    }

    @Test func `escapes stand for bytes`() throws {
        let session = try Transcript(parsing: #"$ p\#n~~> a\n\r\t\\\x00\xFF\*3{xy}é"#).sessions[0]
        guard case .send(let bytes) = session.steps.first?.action else {
            Issue.record("nothing is sent")
            return
        }
        #expect(bytes == Array("a\n\r\t\\".utf8) + [0, 0xFF] + Array("xyxyxyé".utf8))
    }

    private static let request = #"{"jsonrpc":"2.0","id":1,"method":"shutdown"}"#
    private static let answer = #"{"jsonrpc":"2.0","id":1,"result":null}"#

    @Test(arguments: [
        "<-- {}", "<-- \(answer)\n<-- \(answer)", "<~~ {}", "--|", "--|\n|-- 0", "<-- \(answer)\n--|\n|-- 3",
    ])
    func `a program that does otherwise is found out`(_ expectation: String) async throws {
        let text = "$ ncloud-kms-rpc\n--> \(Self.request)\n\(expectation)"
        let session = try Transcript(parsing: text).sessions[0]
        #expect(try await TranscriptPlayer.play(session, folder: ".") != nil)
    }

    @Test func `a program that does as it is told is not`() async throws {
        let text = "$ ncloud-kms-rpc\n--> \(Self.request)\n<-- \(Self.answer)\n--|\n|-- 0"
        let session = try Transcript(parsing: text).sessions[0]
        #expect(try await TranscriptPlayer.play(session, folder: ".") == nil)
    }
}
