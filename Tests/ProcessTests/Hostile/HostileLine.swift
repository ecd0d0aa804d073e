import KMSTestSupport

/// A line that no well-meaning client sends, and what must come back. The expectation follows from how the line was made,
/// not from reading it.
struct HostileLine {
    enum Expectation: Equatable {
        case nothing
        /// A single error, to that id as written.
        case error(Int, id: String)
        /// A batch of errors.
        case errors([Int])
    }

    /// Its LF not included.
    let bytes: [UInt8]
    let expectation: Expectation

    init(_ bytes: [UInt8], _ expectation: Expectation) {
        self.bytes = bytes
        self.expectation = expectation
    }

    init(_ text: String, _ expectation: Expectation) {
        self.init(Array(text.utf8), expectation)
    }

    static let notJSON = Expectation.error(-32700, id: "null")
    static let notRequest = Expectation.error(-32600, id: "null")

    /// - Parameter number: makes the ids of the line unique.
    static func random(_ number: Int, _ generator: inout SeededGenerator) -> HostileLine {
        // The large ones cost time, so they are rare.
        if number.isMultiple(of: 250) { return oneOf(large(number), &generator) }
        return switch Int.random(in: 0..<10, using: &generator) {
        case 0: randomBytes(&generator)
        case 1: cut(number, &generator)
        case 2, 3: oneByteReplaced(number, &generator)
        case 4: oneByteRemoved(number, &generator)
        case 5: oneOf(badTexts, &generator)
        case 6: oneOf(badEnvelopes(number), &generator)
        case 7: oneOf(fine(number), &generator)
        case 8: oneOf(batches(number), &generator)
        default: nested(number, &generator)
        }
    }

    /// A request of plain ASCII whose every quote, bracket, colon and comma counts. Nobody has the method.
    private static func plainRequest(_ number: Int) -> String {
        #"{"jsonrpc":"2.0","id":\#(number),"method":"no.such","params":{"a":[1,true,{"b":"c"}],"d":null}}"#
    }

    private static func oneOf(_ lines: [HostileLine], _ generator: inout SeededGenerator) -> HostileLine {
        lines[Int.random(in: 0..<lines.count, using: &generator)]
    }

    // MARK: Broken

    /// Any bytes but LF, with one among them that UTF-8 never has.
    private static func randomBytes(_ generator: inout SeededGenerator) -> HostileLine {
        let count = Int.random(in: 1...300, using: &generator)
        var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }.filter { $0 != 0x0A }
        let never: [UInt8] = [0xC0, 0xC1, 0xF5, 0xFE, 0xFF]
        bytes.insert(
            never[Int.random(in: 0..<never.count, using: &generator)],
            at: Int.random(in: 0...bytes.count, using: &generator))
        return HostileLine(bytes, notJSON)
    }

    /// A beginning of an object is no JSON text.
    private static func cut(_ number: Int, _ generator: inout SeededGenerator) -> HostileLine {
        let bytes = Array(plainRequest(number).utf8)
        return HostileLine(Array(bytes[..<Int.random(in: 1..<bytes.count, using: &generator)]), notJSON)
    }

    /// A byte that may stand nowhere in a JSON text: a control character, or a part of UTF-8 alone.
    private static func oneByteReplaced(_ number: Int, _ generator: inout SeededGenerator) -> HostileLine {
        var bytes = Array(plainRequest(number).utf8)
        let whiteSpace: [UInt8] = [0x09, 0x0A, 0x0D]
        let bad = (UInt8.min...0x1F).filter { !whiteSpace.contains($0) } + Array(0x80...UInt8.max)
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[place] = bad[Int.random(in: 0..<bad.count, using: &generator)]
        return HostileLine(bytes, notJSON)
    }

    /// Without one of its quotes, brackets, colons or commas it is none.
    private static func oneByteRemoved(_ number: Int, _ generator: inout SeededGenerator) -> HostileLine {
        var bytes = Array(plainRequest(number).utf8)
        let places = bytes.indices.filter { Array("\"{}[]:,".utf8).contains(bytes[$0]) }
        bytes.remove(at: places[Int.random(in: 0..<places.count, using: &generator)])
        return HostileLine(bytes, notJSON)
    }

    private static let badTexts: [HostileLine] =
        [
            "}", "]", ",", ":", "nul", "True", "NaN", "Infinity", "-", "+1", "01", "1.", ".5", "1e", "0x10", "'a'",
            "\"",
            "\"\\u12\"", "\"\\x41\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\u0041\"", "{\"a\"}",
            "{\"a\":1,}",
            "[1,]", "[,]", "{a:1}", "[1 2]", "/* */ {}", "{} {}", "[] // end", "\u{FEFF}{}", "\u{0}", "{}\u{0}",
            #"{"jsonrpc":"2.0","id":01,"method":"m"}"#, #"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"m"}}"#, #"{"jsonrpc":"2.0","id":1,"method":"m","params":[NaN]}"#,
        ].map { HostileLine($0, notJSON) } + [
            HostileLine(Array("\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"".utf8), notJSON)
        ]

    // MARK: JSON, but no request

    private static func badEnvelopes(_ number: Int) -> [HostileLine] {
        let toID = Expectation.error(-32600, id: "\(number)")
        let head = #"{"jsonrpc":"2.0","id":\#(number)"#
        return [
            HostileLine("\(number)", notRequest), HostileLine("\"text\"", notRequest), HostileLine("null", notRequest),
            HostileLine("true", notRequest), HostileLine("{}", notRequest),
            HostileLine(#"{"jsonrpc":"2.0"}"#, notRequest),
            HostileLine("\(head)}", toID), HostileLine(#"\#(head),"method":1}"#, toID),
            HostileLine(#"\#(head),"method":null}"#, toID), HostileLine(#"\#(head),"method":["m"]}"#, toID),
            HostileLine(#"\#(head),"method":"m","params":1}"#, toID),
            HostileLine(#"\#(head),"method":"m","params":"p"}"#, toID),
            HostileLine(#"\#(head),"method":"m","params":false}"#, toID),
            HostileLine(#"\#(head),"method":"m","method":"m"}"#, toID),
            HostileLine(#"\#(head),"method":"m","m\u0065thod":"m"}"#, toID),
            HostileLine(#"\#(head),"method":"m","params":{"a":1,"\u0061":2}}"#, toID),
            HostileLine(#"\#(head),"method":"m","id":\#(number)}"#, notRequest),
            HostileLine(#"{"id":\#(number),"method":"m"}"#, toID),
            HostileLine(#"{"jsonrpc":2.0,"id":\#(number),"method":"m"}"#, toID),
            HostileLine(#"{"jsonrpc":"1.0","id":\#(number),"method":"m"}"#, toID),
            HostileLine(#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, notRequest),
            HostileLine(#"{"jsonrpc":"2.0","id":[\#(number)],"method":"m"}"#, notRequest),
            HostileLine(#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, notRequest),
            HostileLine("[]", notRequest),
        ]
    }

    // MARK: Large

    private static let openingBrackets = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    private static let closingBrackets = [UInt8](repeating: UInt8(ascii: "]"), count: 100_000)
    private static let openingObjects = Array(String(repeating: "{\"a\":", count: 100_000).utf8)
    /// Longer than the limit by two, one of which may have been a CR.
    private static let tooLong = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) + 2)
    private static let manyNames = (0..<2_000).map { #""n\#($0)":\#($0)"# }.joined(separator: ",")

    private static func large(_ number: Int) -> [HostileLine] {
        [
            HostileLine(openingBrackets, notJSON), HostileLine(openingBrackets + closingBrackets, notJSON),
            HostileLine(openingObjects, notJSON), HostileLine(tooLong, notRequest),
            HostileLine(
                #"{"jsonrpc":"2.0","id":\#(number),"method":"m","params":{\#(manyNames)}}"#,
                .error(-32601, id: "\(number)")),
            HostileLine(
                #"{"jsonrpc":"2.0","id":\#(number),"method":"m","params":{\#(manyNames),"n1999":0}}"#,
                .error(-32600, id: "\(number)")),
            HostileLine("[" + String(repeating: "1,", count: 1_000) + "1]", notRequest),
            HostileLine(
                "[" + String(repeating: "1,", count: 999) + "1]", .errors([Int](repeating: -32600, count: 1_000))),
        ]
    }

    // MARK: Odd, but right

    private static func fine(_ number: Int) -> [HostileLine] {
        func unknown(_ id: String) -> Expectation { .error(-32601, id: id) }
        return [
            HostileLine(plainRequest(number), unknown("\(number)")),
            HostileLine(" \t" + plainRequest(number) + " \r", unknown("\(number)")),
            HostileLine(#"{"method":"m","id":"\#(number)\u0000","jsonrpc":"2.0"}"#, unknown(#""\#(number)\u0000""#)),
            HostileLine(#"{"jsonrpc":"\u0032.0","id":-\#(number).0e0,"method":"m"}"#, unknown("-\(number).0e0")),
            HostileLine(
                #"{"jsonrpc":"2.0","id":9\#(number)99999999999999999999,"method":"","x":[{}]}"#,
                unknown("9\(number)99999999999999999999")),
            HostileLine(#"{"jsonrpc":"2.0","id":"😀\#(number)","method":"mé\ud83d\ude00"}"#, unknown("\"😀\(number)\"")),
            HostileLine(
                #"{"jsonrpc":"2.0","id":\#(number),"method":"getPublicKey","params":["\u0000"]}"#,
                .error(-32602, id: "\(number)")),
            HostileLine(
                #"{"jsonrpc":"2.0","id":\#(number),"method":"getStatus","params":{"a":1}}"#,
                .error(-32602, id: "\(number)")),
            HostileLine(#"{"jsonrpc":"2.0","method":"m"}"#, .nothing),
            HostileLine(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":\#(number)}}"#, .nothing),
            HostileLine(#"{"jsonrpc":"2.0","id":\#(number),"result":1}"#, .nothing),
            HostileLine(#"{"jsonrpc":"2.0","id":\#(number),"error":{}}"#, .nothing),
            HostileLine("", .nothing), HostileLine(" \t\r", .nothing), HostileLine("\r", .nothing),
        ]
    }

    private static func batches(_ number: Int) -> [HostileLine] {
        let request = plainRequest(number)
        return [
            HostileLine("[1,\"a\",null,{},[]]", .errors([-32600, -32600, -32600, -32600, -32600])),
            HostileLine("[\(request),1,\(request)]", .errors([-32601, -32600, -32601])),
            HostileLine(#"[{"jsonrpc":"2.0","method":"m"},\#(request)]"#, .errors([-32601])),
            HostileLine(#"[{"jsonrpc":"2.0","method":"m"}]"#, .nothing),
            HostileLine("[\(request),", notJSON), HostileLine("[\(request)}", notJSON),
            HostileLine("[\(request),{\"a\":}]", notJSON), HostileLine("[\(request)]]", notJSON),
        ]
    }

    /// Nesting is allowed to level 128, which counts the envelope and `params`.
    private static func nested(_ number: Int, _ generator: inout SeededGenerator) -> HostileLine {
        let depth = Int.random(in: 100...150, using: &generator)
        let inner = depth - 1
        let text =
            #"{"jsonrpc":"2.0","id":\#(number),"method":"m","params":"# + String(repeating: "[", count: inner)
            + String(repeating: "]", count: inner) + "}"
        return HostileLine(text, depth <= 128 ? .error(-32601, id: "\(number)") : notJSON)
    }
}
