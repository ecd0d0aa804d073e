import KMSJSON
import Testing

@testable import KMSJSONRPC

/// The rules of JSON-RPC 2.0, sections 4 and 5, and of `protocol/`.
@Suite struct MessageReaderTests {
    /// What a text is read as: the kind, the id to answer to, the method and the parameters.
    private func read(_ text: String) throws -> String {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes)
            scanner.skipWhiteSpace()
            let message = try MessageReader.read(&scanner)
            try scanner.expectEnd()
            func raw(_ token: JSONToken?) -> String {
                token.map { String(decoding: bytes[$0.range], as: UTF8.self) } ?? "-"
            }
            switch message {
            case .request(let request):
                return "request \(raw(request.id)) \(raw(request.method)) \(raw(request.params))"
            case .notification(let request):
                return "notification \(raw(request.id)) \(raw(request.method)) \(raw(request.params))"
            case .response: return "response"
            case .invalid(let error, let id): return "invalid \(error.code) \(raw(id))"
            }
        }
    }

    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, #"request 1 "m" -"#),
        (#"{"params":[1],"method":"m","id":"a","jsonrpc":"2.0"}"#, #"request "a" "m" [1]"#),
        (
            #" { "jsonrpc" : "2.0" , "id" : null , "method" : "m" , "params" : { "a" : 1 } } "#,
            #"request null "m" { "a" : 1 }"#
        ),
        (#"{"jsonrpc":"2.0","method":"m"}"#, #"notification - "m" -"#),
        (#"{"jsonrpc":"2.0","method":"","params":{}}"#, #"notification - "" {}"#),
        (
            #"{"\u006asonrpc":"2\u002e0","\u0069d":1,"m\u0065thod":"\u006d","par\u0061ms":[]}"#,
            #"request 1 "\u006d" []"#
        ),
        // Null parameters are none.
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#, #"request 1 "m" -"#),
        (#"{"jsonrpc":"2.0","method":"m","params":null}"#, #"notification - "m" -"#),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":null,"params":null}"#, "invalid -32600 1"),
        // Every id comes back as it was written.
        (#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"m"}"#, #"request 18446744073709551616 "m" -"#),
        (#"{"jsonrpc":"2.0","id":1.50,"method":"m"}"#, #"request 1.50 "m" -"#),
        (#"{"jsonrpc":"2.0","id":-0e2,"method":"m"}"#, #"request -0e2 "m" -"#),
        (#"{"jsonrpc":"2.0","id":"\u00e9\/","method":"m"}"#, #"request "\u00e9\/" "m" -"#),
        (#"{"jsonrpc":"2.0","id":"","method":"m"}"#, #"request "" "m" -"#),
        // Unknown members are ignored, `result` and `error` of a request too.
        (#"{"jsonrpc":"2.0","id":1,"method":"m","x":{"id":2,"id":2}}"#, #"request 1 "m" -"#),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","result":2,"error":3}"#, #"request 1 "m" -"#),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","Params":3,"ID":4}"#, #"request 1 "m" -"#),
        // Duplicates below the top level of `params` are the method's business.
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":{"b":1,"b":2}}}"#, #"request 1 "m" {"a":{"b":1,"b":2}}"#),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":[{"b":1,"b":2}]}"#, #"request 1 "m" [{"b":1,"b":2}]"#),
        // Responses.
        (#"{"jsonrpc":"2.0","id":1,"result":1}"#, "response"), (#"{"error":{},"id":null}"#, "response"),
        (#"{"result":1}"#, "response"), (#"{"result":1,"result":1,"jsonrpc":1}"#, "response"),
        (#"{"r\u0065sult":1}"#, "response"),
        // Invalid: the version.
        (#"{"id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":2.0,"id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":null,"id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0 ","id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"JSONRPC":"2.0","id":1,"method":"m"}"#, "invalid -32600 1"),
        // The method.
        (#"{"jsonrpc":"2.0","id":1}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":1}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":null}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":["m"]}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","method":1,"result":1}"#, "invalid -32600 -"),
        // The parameters.
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":"bar"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":1}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","method":"m","params":true}"#, "invalid -32600 -"),
        // The id.
        (#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, "invalid -32600 -"),
        (#"{"id":{},"method":"m"}"#, "invalid -32600 -"),
        // Duplicates, after unescaping. A duplicate id can't be answered to.
        (#"{"jsonrpc":"2.0","id":1,"id":1,"method":"m"}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"m"}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","id":1,"id":2,"id":3,"method":"m"}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","m\u0065thod":"m"}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","x":1,"x":2}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","x":1,"x":2,"method":"m","id":1}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1,"\u0061":2}}"#, "invalid -32600 1"),
        (#"{"jsonrpc":"2.0","method":"m","params":{"a":1,"a":2}}"#, "invalid -32600 -"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":[],"params":[]}"#, "invalid -32600 1"),
        // No object at all.
        ("1", "invalid -32600 -"), ("null", "invalid -32600 -"), (#""method""#, "invalid -32600 -"),
        ("{}", "invalid -32600 -"),
        (#"{"foo":"boo"}"#, "invalid -32600 -"),
    ])
    func `an envelope is read as the standard says`(text: String, expected: String) throws {
        #expect(try read(text) == expected)
    }

    @Test(
        arguments: [
            ("{", .unexpectedEnd, 1), (#"{"jsonrpc":"2.0","id":1,"method":"m""#, .unexpectedEnd, 36),
            (#"{"jsonrpc":"2.0","id":01}"#, .invalidNumber, 23), (#"{"params":{"a":1,}}"#, .unexpectedByte, 17),
            (#"{"params":{"a":[}}}"#, .unexpectedByte, 16), (#"{"params":[1,]}"#, .unexpectedByte, 13),
            (#"{"x":nul}"#, .invalidLiteral, 5),
            (#"{"id":1,"id":1,"x":tru}"#, .invalidLiteral, 19), ("{}{}", .trailingBytes, 2), ("tru", .unexpectedEnd, 3),
        ] as [(String, JSONError.Reason, Int)])
    func `what is not JSON is a parse error, whatever came before it`(
        text: String, reason: JSONError.Reason, offset: Int
    ) {
        #expect(throws: JSONError(reason, at: offset)) { try read(text) }
    }

    @Test func `the envelope counts as a level of nesting`() throws {
        func text(_ depth: Int) -> String {
            let params = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            return #"{"jsonrpc":"2.0","id":1,"method":"m","params":\#(params)}"#
        }
        #expect(try read(text(127)).hasPrefix("request"))
        #expect(throws: JSONError.self) { try read(text(128)) }
        func byName(_ depth: Int) -> String {
            let params = String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
            return #"{"jsonrpc":"2.0","id":1,"method":"m","params":\#(params)}"#
        }
        #expect(try read(byName(127)).hasPrefix("request"))
        #expect(throws: JSONError.self) { try read(byName(128)) }
    }
}
