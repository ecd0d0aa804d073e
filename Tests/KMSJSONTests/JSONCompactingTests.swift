import KMSJSON
import Testing

@Suite struct JSONCompactingTests {
    @Test(arguments: [
        ("{ \"a\" : [ 1 , 2.50 , { } ] ,\r\n\t\"b\": null }", #"{"a":[1,2.50,{}],"b":null}"#),
        (#"{ "a b" : " c  d " }"#, #"{"a b":" c  d "}"#),
        (#"[ "\"" , " \\" , "\\\" " , " \u0020" ]"#, #"["\""," \\","\\\" "," \u0020"]"#),
        (#"  "x"  "#, #""x""#),
        ("[]", "[]"),
    ])
    func `only white space between tokens goes`(_ text: String, _ compacted: String) throws {
        #expect(String(decoding: try JSONValue(parsing: text).compacted, as: UTF8.self) == compacted)
    }

    @Test func `a member is compacted alone`() throws {
        let value = try JSONValue(parsing: #"{"a": [1, 2], "b": { "c" : 3 }}"#)
        #expect(value["b"].map { String(decoding: $0.compacted, as: UTF8.self) } == #"{"c":3}"#)
    }
}
