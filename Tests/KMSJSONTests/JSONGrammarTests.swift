import KMSJSON
import Testing

/// RFC 8259, rule by rule, in the spirit of JSONTestSuite.
@Suite struct JSONGrammarTests {
    @Test(arguments: [
        // Section 2 and 3: any value is a text; white space around tokens.
        "null", "true", "false", "0", "\"\"", "[]", "{}", " null ", "\t\r\n 1 \t\r\n", "[ ]", "{ }", "\n[\t1\r,\n2 ]",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        // Section 4 and 5.
        "{\"\":0}", "{\"a\":{\"a\":{}}}", "{\"a\":1,\"a\":2}", "[[],[[]],{}]", "[null,true,false,0,\"\"]", "[{},{}]",
        "[\"[\",\"{\",\"]\"]", "{\"{\":\"{\",\"}\":\"}\"}",
        // Section 6.
        "-0", "-1", "10", "0.0", "-0.5", "1e5", "1E5", "1e+5", "1e-5", "1.25E-05", "0e0", "0e+1",
        "123456789012345678901",
        "1e999999", "[-0,1.5,2e1]",
        // Section 7.
        #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\u00e9\u00E9""#, #""\ud83d\ude00""#, #""\uD800\uDC00""#,
        #""\uDBFF\uDFFF""#, #""\uFFFF""#, "\"/\"", "\"\u{7F}\"", "\"\u{80}\"", "\"é한😀\u{10FFFF}\"",
        "\"\u{2028}\u{2029}\"",
        "\"\u{FEFF}\"", "\"1234567\"", "\"12345678\"", "\"123456789012345é\"",
    ])
    func `a text that the grammar has is accepted`(text: String) {
        #expect(throws: Never.self) { try JSONValue(parsing: text) }
    }

    @Test(
        arguments: [
            ("", .emptyText, 0), (" \n\t", .emptyText, 3),
            // Structure.
            ("[", .unexpectedEnd, 1), ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2), ("[1,", .unexpectedEnd, 3),
            ("{\"a\"", .unexpectedEnd, 4), ("{\"a\":", .unexpectedEnd, 5), ("{\"a\":1", .unexpectedEnd, 6),
            ("{\"a\":1,", .unexpectedEnd, 7), ("]", .unexpectedByte, 0), ("}", .unexpectedByte, 0),
            (",", .unexpectedByte, 0),
            (":", .unexpectedByte, 0), ("[}", .unexpectedByte, 1), ("{]", .unexpectedByte, 1),
            ("[1}", .unexpectedByte, 2),
            ("{\"a\":1]", .unexpectedByte, 6), ("[1,]", .unexpectedByte, 3), ("[1 , ]", .unexpectedByte, 5),
            ("[,1]", .unexpectedByte, 1), ("[,]", .unexpectedByte, 1), ("[1,,2]", .unexpectedByte, 3),
            ("[1 2]", .unexpectedByte, 3), ("[1:2]", .unexpectedByte, 2), ("[\"a\":1]", .unexpectedByte, 4),
            ("[[]1]", .unexpectedByte, 3), ("[[][]]", .unexpectedByte, 3), ("[{}{}]", .unexpectedByte, 3),
            ("{\"a\":1,}", .unexpectedByte, 7), ("{,}", .unexpectedByte, 1), ("{,\"a\":1}", .unexpectedByte, 1),
            ("{\"a\":1,,\"b\":2}", .unexpectedByte, 7), ("{\"a\":1 \"b\":2}", .unexpectedByte, 7),
            ("{\"a\" 1}", .unexpectedByte, 5), ("{\"a\",1}", .unexpectedByte, 4), ("{\"a\"}", .unexpectedByte, 4),
            ("{\"a\":}", .unexpectedByte, 5), ("{\"a\"::1}", .unexpectedByte, 5), ("{1:2}", .unexpectedByte, 1),
            ("{a:1}", .unexpectedByte, 1), ("{'a':1}", .unexpectedByte, 1), ("{null:1}", .unexpectedByte, 1),
            ("{\"a\":{\"b\":1}\"c\":2}", .unexpectedByte, 12), ("{\"a\":{}{}}", .unexpectedByte, 7),
            ("{\"a\":1,\"b\"}", .unexpectedByte, 10), ("{[]:1}", .unexpectedByte, 1),
            // What follows the value.
            ("1 2", .trailingBytes, 2), ("[]]", .trailingBytes, 2), ("{}}", .trailingBytes, 2),
            ("{},", .trailingBytes, 2),
            ("null,", .trailingBytes, 4), ("\"\"\"\"", .trailingBytes, 2), ("truetrue", .trailingBytes, 4),
            ("nullx", .trailingBytes, 4), ("1\u{0}", .trailingBytes, 1), ("{}#", .trailingBytes, 2),
            ("1.5.5", .trailingBytes, 3),
            // White space and comments that the RFC does not have.
            ("\u{0B}1", .unexpectedByte, 0), ("\u{0C}1", .unexpectedByte, 0), ("\u{A0}1", .unexpectedByte, 0),
            ("\u{2028}1", .unexpectedByte, 0), ("\u{FEFF}1", .unexpectedByte, 0), ("[1,/**/2]", .unexpectedByte, 3),
            ("//\n1", .unexpectedByte, 0), ("#\n1", .unexpectedByte, 0), ("\u{0}", .unexpectedByte, 0),
            // Literals.
            ("t", .unexpectedEnd, 1), ("tru", .unexpectedEnd, 3), ("fals", .unexpectedEnd, 4),
            ("nul", .unexpectedEnd, 3),
            ("True", .unexpectedByte, 0), ("tRue", .invalidLiteral, 0), ("nulL", .invalidLiteral, 0),
            ("[nul]", .invalidLiteral, 1), ("faLse", .invalidLiteral, 0), ("NULL", .unexpectedByte, 0),
            ("NaN", .unexpectedByte, 0), ("nan", .invalidLiteral, 0), ("Infinity", .unexpectedByte, 0),
            ("undefined", .unexpectedByte, 0), ("'a'", .unexpectedByte, 0), ("a", .unexpectedByte, 0),
            // Numbers.
            ("-", .unexpectedEnd, 1), ("+1", .unexpectedByte, 0), (".5", .unexpectedByte, 0),
            ("-.5", .invalidNumber, 1),
            ("00", .invalidNumber, 1), ("01", .invalidNumber, 1), ("-01", .invalidNumber, 2),
            ("-00.1", .invalidNumber, 2),
            ("1.", .unexpectedEnd, 2), ("[1.]", .invalidNumber, 3), ("1.e1", .invalidNumber, 2),
            ("1e", .unexpectedEnd, 2),
            ("1e+", .unexpectedEnd, 3), ("[1e]", .invalidNumber, 3), ("1e+-1", .invalidNumber, 3),
            ("1e1.5", .trailingBytes, 3),
            ("1.5e", .unexpectedEnd, 4), ("--1", .invalidNumber, 1), ("-a", .invalidNumber, 1),
            ("-Infinity", .invalidNumber, 1),
            ("0x10", .trailingBytes, 1), ("1_000", .trailingBytes, 1), ("1e5e5", .trailingBytes, 3),
            ("1 000", .trailingBytes, 2),
            ("- 1", .invalidNumber, 1), ("１", .unexpectedByte, 0),
            // Strings.
            ("\"", .unexpectedEnd, 1), ("\"abc", .unexpectedEnd, 4), ("\"\\", .unexpectedEnd, 2),
            ("\"\\\"", .unexpectedEnd, 3),
            ("\"\\u", .unexpectedEnd, 3), ("\"\\u00e", .unexpectedEnd, 6), (#""\u00g0""#, .invalidEscape, 1),
            (#""\u00""#, .invalidEscape, 1), (#""ab\x41""#, .invalidEscape, 3), (#""\a""#, .invalidEscape, 1),
            (#""\'""#, .invalidEscape, 1), (#""\0""#, .invalidEscape, 1), (#""\U0041""#, .invalidEscape, 1),
            (#""\u+041""#, .invalidEscape, 1), ("\"\\\n\"", .invalidEscape, 1), ("\"\\é\"", .invalidEscape, 1),
            ("\"a\nb\"", .controlCharacter, 2), ("\"a\tb\"", .controlCharacter, 2), ("\"\u{0}\"", .controlCharacter, 1),
            ("\"\u{1F}\"", .controlCharacter, 1), ("\"12345678\u{1}\"", .controlCharacter, 9),
            ("\"1234567\u{1F}\"", .controlCharacter, 8), ("{\"a\u{1}\":1}", .controlCharacter, 3),
            // Surrogates.
            (#""\ud800""#, .loneSurrogate, 1), (#""\udc00""#, .loneSurrogate, 1), (#""a\udfff""#, .loneSurrogate, 2),
            (#""\ud800\u0041""#, .loneSurrogate, 1), (#""\ud800\ud800""#, .loneSurrogate, 1),
            (#""\ud800x""#, .loneSurrogate, 1),
            (#""\ud800\n""#, .loneSurrogate, 1), (#""\ude00\ud83d""#, .loneSurrogate, 1),
            (#""\ud83d\ude00\ud83d""#, .loneSurrogate, 13),
            (#""\ud800"#, .unexpectedEnd, 7), (#""\ud800\"#, .unexpectedEnd, 8), (#""\ud800\u"#, .unexpectedEnd, 9),
            (#""\ud800\udc0"#, .unexpectedEnd, 12), (#""\ud800\udcxx""#, .invalidEscape, 7),
            (#"{"\ud800":1}"#, .loneSurrogate, 2),
        ] as [(String, JSONError.Reason, Int)])
    func `a text that the grammar has not is refused, with reason and place`(
        text: String, reason: JSONError.Reason, offset: Int
    ) {
        #expect(throws: JSONError(reason, at: offset)) { try JSONValue(parsing: text) }
    }

    @Test func `every byte that ends nothing is refused after a value`() {
        let whiteSpace: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        for byte in UInt8.min...UInt8.max where !whiteSpace.contains(byte) {
            #expect(throws: JSONError(.trailingBytes, at: 2)) { try JSONValue(parsing: [0x5B, 0x5D, byte]) }
        }
    }

    @Test func `every control character in a string is refused at every distance from its start`() {
        for byte in UInt8.min..<0x20 {
            for distance in 0..<18 {
                let text =
                    Array("\"".utf8) + Array(repeating: 0x61, count: distance) + [byte] + Array("aaaaaaaaa\"".utf8)
                #expect(throws: JSONError(.controlCharacter, at: distance + 1)) { try JSONValue(parsing: text) }
            }
        }
    }

    @Test func `a prefix of a text is never a text`() {
        let text = Array(#"{"a":[1.5e3,true,null,"\ud83d\ude00é"],"b":{"c":false}}"#.utf8)
        for count in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text[..<count])) }
        }
    }

    // MARK: Depth

    @Test(arguments: ["[", "{\"a\":"])
    func `values are nested to 128 levels and not deeper`(opening: String) throws {
        func nested(_ depth: Int) -> String {
            let closing = opening == "[" ? "]" : "}"
            let innermost = opening == "[" ? "" : "1"
            return String(repeating: opening, count: depth) + innermost + String(repeating: closing, count: depth)
        }
        #expect(throws: Never.self) { try JSONValue(parsing: nested(128)) }
        #expect(throws: JSONError(.tooDeep, at: 128 * opening.utf8.count)) { try JSONValue(parsing: nested(129)) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: opening, count: 1_000_000)) }
    }

    @Test func `levels that were left do not count`() {
        let text =
            "["
            + Array(repeating: String(repeating: "[", count: 127) + String(repeating: "]", count: 127), count: 3)
            .joined(separator: ",") + "]"
        #expect(throws: Never.self) { try JSONValue(parsing: text) }
    }

    @Test func `the maximum of the caller counts`() {
        #expect(throws: JSONError(.tooDeep, at: 0)) { try JSONValue(parsing: Array("[]".utf8), maximumDepth: 0) }
        #expect(throws: Never.self) { try JSONValue(parsing: Array("1".utf8), maximumDepth: 0) }
        #expect(throws: Never.self) { try JSONValue(parsing: Array("[{}]".utf8), maximumDepth: 2) }
        #expect(throws: JSONError(.tooDeep, at: 1)) { try JSONValue(parsing: Array("[{}]".utf8), maximumDepth: 1) }
    }
}
