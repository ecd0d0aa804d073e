import KMSJSON
import Testing

@testable import KMSCommands

@Suite struct LogEscapesTests {
    private static let texts: [(String, String)] = [
        ("plain", "plain"), ("한국어 é 😀", "한국어 é 😀"), ("a\u{1B}[31mb", #"a\u{1b}[31mb"#), ("a\nb", #"a\u{a}b"#),
        ("a\u{7F}b", #"a\u{7f}b"#), ("a\u{9B}31mb", #"a\u{9b}31mb"#), ("a\u{85}b", #"a\u{85}b"#),
        // What has the rest of the line shown in another order, or is not seen.
        ("a\u{202E}b", #"a\u{202e}b"#), ("a\u{202A}b\u{202C}", #"a\u{202a}b\u{202c}"#),
        ("a\u{2066}b\u{2069}", #"a\u{2066}b\u{2069}"#), ("a\u{200F}b", #"a\u{200f}b"#), ("a\u{61C}b", #"a\u{61c}b"#),
        ("a\u{200B}b", #"a\u{200b}b"#), ("a\u{FEFF}b", #"a\u{feff}b"#), ("a\u{AD}b", #"a\u{ad}b"#),
        ("a\u{E0041}b", #"a\u{e0041}b"#), ("a\u{2028}b\u{2029}", #"a\u{2028}b\u{2029}"#),
    ]

    @Test(arguments: texts)
    func `what would change how a line is shown is escaped`(text: String, escaped: String) {
        #expect(LogFormat.escapingControls(text) == escaped)
    }

    @Test(arguments: texts)
    func `so it is in the message and in the fields of a text log`(text: String, escaped: String) {
        let line = LogFormat.text.line(
            level: .info, message: text, metadata: [("plain", .string(text)), ("spaced", "\(text) x")],
            wallClockMilliseconds: 0)
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        #expect(!scalars.contains { [.control, .format].contains($0.properties.generalCategory) })
        #expect(String(decoding: line, as: UTF8.self).contains(escaped))
    }

    @Test(arguments: texts)
    func `a JSON log has them escaped as JSON does, so that it says the same`(text: String, escaped: String) throws {
        let line = LogFormat.json.line(
            level: .info, message: text, metadata: [("field", .string(text))], wallClockMilliseconds: 0)
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        #expect(
            !scalars.contains {
                [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
            })
        let json = try JSONValue(parsing: String(decoding: line, as: UTF8.self))
        #expect(json["message"]?.string == text)
        #expect(json["field"]?.string == text)
    }
}
