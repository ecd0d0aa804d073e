import KMSJSON
import KMSTestSupport
import Testing

@Suite struct JSONWriterTests {
    private func text(_ write: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        write(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test func `commas and colons are the writer's business`() {
        let text = text { json in
            json.object { object in
                object.member("keySize", 2048)
                object.member("names") {
                    $0.array {
                        $0.value("a"); $0.null()
                    }
                }
                object.member("empty") { $0.object { _ in } }
            }
        }
        #expect(text == #"{"keySize":2048,"names":["a",null],"empty":{}}"#)
    }

    @Test func `containers in containers are separated`() {
        let text = text { json in
            json.array { array in
                array.array { _ in }
                array.array { $0.array { _ in } }
                array.object {
                    $0.member("a") {
                        $0.array {
                            $0.value(1); $0.value(2)
                        }
                    }
                }
                array.raw("1e2".utf8)
                array.value(true)
            }
        }
        #expect(text == #"[[],[[]],{"a":[1,2]},1e2,true]"#)
    }

    @Test(arguments: [
        ("", #""""#), ("plain", #""plain""#), ("\"\\/", #""\"\\/""#), ("\u{8}\u{9}\u{A}\u{C}\u{D}", #""\b\t\n\f\r""#),
        ("\u{0}\u{1}\u{B}\u{1F}", #""\u0000\u0001\u000b\u001f""#), ("\u{7F}é한😀", "\"\u{7F}é한😀\""),
        // JSON allows them as they are; some readers of lines take them for the end of one.
        ("a\u{2028}\u{2029}\u{85}b", #""a\u2028\u2029\u0085b""#), ("\u{2028}", #""\u2028""#),
        ("\u{84}\u{86}\u{2027}\u{202A}\u{20A8}\u{1028}", "\"\u{84}\u{86}\u{2027}\u{202A}\u{20A8}\u{1028}\""),
        ("12345678\n12345678é\"", #""12345678\n12345678é\"""#),
    ])
    func `a string is escaped where it must be`(string: String, expected: String) {
        #expect(text { $0.value(string) } == expected)
    }

    @Test(arguments: [
        (0.5, "0.5"), (-0.0, "-0.0"), (1, "1.0"), (1e300, "1e+300"), (5e-324, "5e-324"), (.infinity, "null"),
        (-.infinity, "null"), (.nan, "null"),
    ])
    func `a double is written so that it reads back equal`(double: Double, expected: String) throws {
        let text = text { $0.value(double) }
        #expect(text == expected)
        if double.isFinite { #expect(try JSONValue(parsing: text).double?.bitPattern == double.bitPattern) }
    }

    @Test func `nil is null, and a value is written as it was`() throws {
        #expect(text { $0.value(Int?.none) } == "null")
        #expect(text { $0.value(Int?.some(.min)) } == "-9223372036854775808")
        let value = try JSONValue(parsing: #"{ "a" : [1E2 , "\u0061"] }"#)
        #expect(
            text {
                $0.array {
                    $0.value(value["a"]); $0.value(value)
                }
            } == #"[[1E2 , "\u0061"],{ "a" : [1E2 , "\u0061"] }]"#)
    }

    @Test func `bytes are appended to what is there`() {
        var json = JSONWriter(appendingTo: Array("x=".utf8))
        json.array { $0.value(1) }
        #expect(String(decoding: json.bytes, as: UTF8.self) == "x=[1]")
    }
}
