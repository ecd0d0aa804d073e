import KMSJSON
import KMSTestSupport
import Testing

/// Readers of lines do not agree on what ends one: JavaScript and Java have U+2028 and U+2029, Python has U+0085 as well.
@Suite(.timeLimit(.minutes(5))) struct LineBreakTests {
    private static let breaks = "a\u{2028}b\u{2029}c\u{85}d"

    /// The symptom: a message of the service broke the line in Node's `readline`, and the client could read neither half.
    @Test func `what the service says breaks no line, whatever its reader takes for the end of one`() async throws {
        let body = #"{"code":"FORBIDDEN","msg":"\#(Self.breaks)"}"#
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send(RawResponder.answer("403 Forbidden", body: body))
        }
        defer { responder.stop() }
        let outcome = try await ServiceProcess.answers(
            to: Lines.getPublicKey(1), arguments: ["--endpoint", responder.baseURL],
            environment: EmulatedKMS.credentials)
        let line = try #require(outcome.result.first)
        #expect(line.contains(#"a\u2028b\u2029c\u0085d"#))
        #expect(!line.unicodeScalars.contains { ["\u{2028}", "\u{2029}", "\u{85}"].contains($0) })
        #expect(try JSONValue(parsing: line)["error"]?["data"]?["kmsMessage"]?.string == Self.breaks)
        #expect(outcome.logLines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    }

    @Test func `an id comes back as it was written, breaks and all`() async throws {
        let id = "\"\(Self.breaks)\""
        let outcome = try await ServiceProcess.answers(to: Lines.probe(id))
        #expect(try WireAnswer.all(outcome.result).map(\.id) == [id])
    }
}
