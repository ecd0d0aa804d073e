import KMSJSON
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        (#""""#, ""), (#""plain""#, "plain"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0000""#, "\u{0}"),
        (#""\u0041\u00e9\u00E9""#, "Aéé"), (#""\ud83d\ude00""#, "😀"), (#""\uD800\uDC00""#, "\u{10000}"),
        (#""\uDBFF\uDFFF""#, "\u{10FFFF}"), (#""a\u0062c\u0064""#, "abcd"), (#""é\n한""#, "é\n한"),
        (#""\\u0041""#, "\\u0041"),
        (#""\\\\""#, "\\\\"), (#""\uFFFF\uFFFE""#, "\u{FFFF}\u{FFFE}"), (#""\ud83d\ude00\ud83d\ude01x""#, "😀😁x"),
    ])
    func `a string's escapes are resolved`(text: String, string: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(value.string.map { Array($0.utf8) } == Array(string.utf8))
        #expect(value.bytes.elementsEqual(text.utf8))
    }

    @Test func `every code unit's escape is its character`() throws {
        for unit in UInt16.min...UInt16.max where !(0xD800..<0xE000).contains(unit) {
            let digits = String(unit, radix: 16)
            let text = "\"\\u" + String(repeating: "0", count: 4 - digits.count) + digits + "\""
            let scalars = try JSONValue(parsing: text).string.map { Array($0.unicodeScalars) }
            #expect(scalars == Unicode.Scalar(unit).map { [$0] })
        }
    }

    @Test func `elements and members come in order, with what is nested`() throws {
        let value = try JSONValue(
            parsing: #" {"a" : [1, [2, {"x": 3}], "]"], "b": {"c": null}, "\u0061": true, "": false} "#)
        let members = try #require(value.members)
        #expect(members.map(\.name) == ["a", "b", "a", ""])
        let elements = try #require(members[0].value.elements)
        #expect(elements.map(\.kind) == [.number, .array, .string])
        #expect(elements[1].elements?[1]["x"]?.integer == 3)
        #expect(value["b"]?["c"]?.isNull == true)
        #expect(value["a"]?.bool == true, "the last one counts")
        #expect(value[""]?.bool == false)
        #expect(value["none"] == nil)
        #expect(elements[0]["a"] == nil)
    }

    @Test func `a kind answers only to its own name`() throws {
        let texts: [(String, JSONKind)] = [
            ("{}", .object), ("[]", .array), ("\"true\"", .string), ("1", .number), ("true", .bool), ("null", .null),
        ]
        for (text, kind) in texts {
            let value = try JSONValue(parsing: text)
            #expect(value.kind == kind)
            #expect((value.members != nil) == (kind == .object))
            #expect((value.elements != nil) == (kind == .array))
            #expect((value.string != nil) == (kind == .string))
            #expect((value.integer != nil) == (kind == .number))
            #expect((value.bool != nil) == (kind == .bool))
            #expect(value.isNull == (kind == .null))
        }
        #expect(try JSONValue(parsing: "false").bool == false)
    }

    @Test func `a copied value does not need its text`() throws {
        var bytes = Array(#"{"params":["\u0061b",{"c":[1]}]}"#.utf8)
        let copy = try bytes.withUnsafeMutableBufferPointer { buffer in
            var scanner = JSONScanner(UnsafeBufferPointer(buffer))
            try scanner.enter()
            let member = try #require(try scanner.nextMember())
            let copy = JSONValue(copying: member.value, from: UnsafeBufferPointer(buffer))
            buffer.update(repeating: 0)
            return copy
        }
        #expect(copy.elements?[0].string == "ab")
        #expect(copy.elements?[1]["c"]?.elements?.first?.integer == 1)
    }

    @Test func `a nested string with escapes can be copied on its own`() throws {
        let text = Array(#"["\u0061\n"]"#.utf8)
        let value = try text.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.enter()
            return JSONValue(copying: try #require(try scanner.nextElement()), from: bytes)
        }
        #expect(value.string == "a\n")
    }

    // MARK: Duplicate names

    @Test(
        arguments: [
            ("{}", nil), (#"{"a":1,"b":1}"#, nil), (#"{"a":1,"a":1}"#, "a"), (#"{"a":1,"A":1}"#, nil),
            (#"{"a":1,"b":2,"\u0061":3}"#, "a"), (#"{"\u0061":1,"b":2,"a":3}"#, "a"),
            (#"{"\u0061":1,"\u0061":3}"#, "a"),
            (#"{"\/":1,"/":3}"#, "/"), (#"{"":1,"":3}"#, ""), (#"{"\ud83d\ude00":1,"😀":3}"#, "😀"),
            // Names are compared by their code points: canonical equivalents are different names (RFC 8259, section 8.3).
            ("{\"\u{E9}\":1,\"e\u{301}\":2}", nil), ("{\"K\":1,\"\u{212A}\":2}", nil),
            (#"{"a":{"x":1,"x":2},"b":1}"#, nil), (#"{"ab":1,"a":2,"abc":3,"b":4}"#, nil),
            (#"{"\\u0061":1,"a":2}"#, nil),
        ] as [(String, String?)])
    func `a name that comes twice is found after unescaping`(text: String, name: String?) throws {
        #expect(try JSONValue(parsing: text).duplicateName == name)
    }

    @Test(arguments: [1, 2, 11, 12, 13, 14, 100, 5_000])
    func `a duplicate is found among any number of names, escaped or not, wherever it is`(count: Int) throws {
        let names = (0..<count).map { "n\($0)" }
        func object(_ names: [String]) -> String { "{" + names.map { "\"\($0)\":1" }.joined(separator: ",") + "}" }
        #expect(try JSONValue(parsing: object(names)).duplicateName == nil)
        for index in Set([0, count / 2, count - 1]) {
            #expect(try JSONValue(parsing: object(names + [names[index]])).duplicateName == names[index])
            #expect(try JSONValue(parsing: object(names + ["\\u006e\(index)"])).duplicateName == names[index])
            var escaped = names
            escaped[index] = "\\u006e\(index)"
            #expect(try JSONValue(parsing: object(escaped)).duplicateName == nil)
            #expect(try JSONValue(parsing: object(escaped + [names[index]])).duplicateName == names[index])
        }
    }
}
