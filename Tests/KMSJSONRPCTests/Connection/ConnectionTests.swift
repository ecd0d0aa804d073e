import KMSJSON
import KMSJSONRPC
import KMSPlatform
import Testing

/// What one input is answered with, served to its end.
@Suite struct ConnectionTests {
    /// JSON-RPC 2.0, section 7, with `echo` for `subtract`.
    @Test(arguments: [
        (#"{"jsonrpc": "2.0", "method": "echo", "params": [42, 23], "id": 1}"#, [result("1", "[42, 23]")]),
        (
            #"{"jsonrpc": "2.0", "method": "echo", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
            [result("3", #"{"subtrahend": 23, "minuend": 42}"#)]
        ),
        (#"{"jsonrpc": "2.0", "method": "echo", "params": [1,2,3,4,5]}"#, []),
        (#"{"jsonrpc": "2.0", "method": "foobar"}"#, []),
        (#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#, [failure(#""1""#, -32601)]),
        (#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#, [failure("null", -32700)]),
        (#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#, [failure("null", -32600)]),
        (
            #"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]"#,
            [failure("null", -32700)]
        ),
        ("[]", [failure("null", -32600)]), ("[1]", ["[null: -32600]"]),
        ("[1,2,3]", ["[null: -32600,null: -32600,null: -32600]"]),
        (
            #"[{"jsonrpc": "2.0", "method": "echo", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}, {"jsonrpc": "2.0", "method": "fast", "params": [42,23], "id": "2"}, {"foo": "boo"}, {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"}, {"jsonrpc": "2.0", "method": "echo", "id": "9"}]"#,
            [
                "["
                    + [
                        result(#""1""#, "[1,2,4]"), result(#""2""#, "[42,23]"), failure("null", -32600),
                        failure(#""5""#, -32601), result(#""9""#, "null"),
                    ].joined(separator: ",") + "]"
            ]
        ),
        (
            #"[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]"#,
            []
        ),
    ])
    func `the examples of the standard`(input: String, expected: [String]) throws {
        #expect(try Session().answers(to: input).map(summary) == expected)
        #expect(try Session(.socketPair).answers(to: input + "\r\n\r\n").map(summary) == expected)
        let framed = "Content-Length: \(input.utf8.count)\r\n\r\n\(input)"
        let session = try Session(framing: AutomaticFraming(maximumMessageBytes: 1 << 20))
        try session.serve()
        try session.send(framed)
        session.endInput()
        let bodies = try bodies(of: session.receiveAll())
        #expect(try bodies.map(summary) == expected)
    }

    /// Takes a stream of `Content-Length` frames apart.
    private func bodies(of stream: [UInt8]) throws -> [String] {
        var text = String(decoding: stream, as: UTF8.self).utf8[...]
        var bodies: [String] = []
        while !text.isEmpty {
            let header = try #require(String(text)?.prefix { $0 != "\r\n" })
            let count = try #require(Int(header.dropFirst("Content-Length: ".count)))
            text = text.dropFirst(header.utf8.count + 4)
            bodies.append(try #require(String(text.prefix(count))))
            text = text.dropFirst(count)
        }
        return bodies
    }

    @Test(arguments: [
        "0", "-0", "1e2", "1.5", "18446744073709551616", "-1E+2", "null", #""""#, #""a""#, #""\u00e9\/é""#,
        #""\ud83d\ude00""#, "\"\u{2028}\"", String(repeating: "9", count: 1_000),
    ])
    func `an id comes back byte for byte, from every way to answer`(id: String) throws {
        let lines = [
            request(id, "echo"), request(id, "fast", "[]"), request(id, "fast"), request(id, "fail"),
            request(id, "none"),
            #"{"id":\#(id),"method":"echo"}"#, "[\(request(id, "echo"))]",
        ]
        let answers = try Session().answers(to: lines.joined(separator: "\n"))
        #expect(
            try answers.map(summary).sorted()
                == [
                    result(id, "null"), result(id, "[]"), result(id, "null"), failure(id, -32602), failure(id, -32601),
                    failure(id, -32600), "[\(result(id, "null"))]",
                ].sorted())
    }

    @Test func `a notification is never answered, valid or not, and leaves a line in the log`() throws {
        let session = try Session()
        let lines = [
            notification("echo", "[1]"), notification("none"), notification("fail"), notification("fast", "[]"),
        ]
        #expect(try session.answers(to: lines.joined(separator: "\n")).isEmpty)
        let dropped = session.events.withLock { $0 }.compactMap { event in
            if case .notificationDropped(let error) = event { error.code } else { nil }
        }
        #expect(dropped == [-32601, -32602])
    }

    @Test func `a response is dropped with a line in the log`() throws {
        let session = try Session()
        #expect(try session.answers(to: #"{"jsonrpc":"2.0","id":1,"result":1}"#).isEmpty)
        #expect(session.events.withLock { $0 } == [.responseDropped])
    }

    @Test func `responses and notifications in a batch are not answered`() throws {
        let response = #"{"jsonrpc":"2.0","id":1,"result":1}"#
        #expect(try Session().answers(to: "[\(response),\(notification("echo"))]").isEmpty)
        #expect(try Session().answers(to: "[\(response),\(request("1", "echo"))]") == ["[\(result("1", "null"))]"])
    }

    @Test(arguments: [
        // Line ends, blank lines, the mark at the start, a last line without its end.
        (
            "\u{FEFF}\(request("1", "echo"))\r\n\r\n \t\n\(request("2", "echo"))",
            [result("1", "null"), result("2", "null")]
        ),
        // After an error the session goes on.
        ("{\n\(request("2", "echo"))\n", [failure("null", -32700), result("2", "null")]),
        ("\u{0}\n\(request("2", "echo"))\n", [failure("null", -32700), result("2", "null")]),
        (request("1", "echo", #"{"a":1,"\u0061":2}"#), [failure("1", -32600)]),
        (request("1", "echo", "null"), [result("1", "null")]), (request("1", "echo", "0"), [failure("1", -32600)]),
        (request("1", "echo") + request("2", "echo"), [failure("null", -32700)]),
        (request("1", #"\u0065cho"#), [result("1", "null")]),
        (request("1", #"f\u0061st"#, "[1]"), [result("1", "[1]")]),
    ])
    func `lines are served one after the other`(input: String, expected: [String]) throws {
        #expect(try Session().answers(to: input).map(summary).sorted() == expected.sorted())
    }

    @Test func `an input that trickles in byte by byte is answered the same`() throws {
        let input =
            "\u{FEFF}\(request("1", "echo", "[\"é\"]"))\r\n\n[\(request("2", "fast", "[]")),1]\r\nx\n\(request("3", "echo"))"
        let session = try Session()
        try session.serve()
        for byte in input.utf8 { try session.send([byte]) }
        session.endInput()
        #expect(
            try session.receiveLines().map(summary) == [
                result("1", "[\"é\"]"), "[\(result("2", "[]")),\(failure("null", -32600))]", failure("null", -32700),
                result("3", "null"),
            ])
    }

    @Test func `nesting to 128 levels is accepted, the envelope and the batch included`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        let session = try Session()
        let lines = [
            request("1", "echo", nested(127)), request("2", "echo", nested(128)),
            "[\(request("3", "echo", nested(126)))]",
            "[\(request("4", "echo", nested(127)))]",
        ]
        #expect(
            try session.answers(to: lines.joined(separator: "\n")).map(summary).sorted()
                == [
                    result("1", nested(127)), failure("null", -32700), "[\(result("3", nested(126)))]",
                    failure("null", -32700),
                ].sorted())
    }

    @Test func `a line that is too long is refused once, and the next one is served`() throws {
        let session = try Session(framing: LineFraming(maximumMessageBytes: 100))
        let long = request("1", "echo", "[\"\(String(repeating: "x", count: 3 << 20))\"]")
        let answers = try session.answers(to: "\(long)\n\(request("2", "echo"))\n\(long)")
        #expect(try answers.map(summary) == [failure("null", -32600), result("2", "null"), failure("null", -32600)])
    }

    @Test func `a header block that can't be read ends the stream, and what is in flight is finished`() throws {
        let session = try Session(framing: AutomaticFraming(maximumMessageBytes: 1 << 20))
        let held = request("1", "held")
        try session.serve()
        try session.send("Content-Length: \(held.utf8.count)\r\n\r\n\(held)Content-Length: x\r\n\r\n")
        try session.held.started.wait()
        session.held.release(0)
        let answer = String(decoding: try session.receiveAll(), as: UTF8.self)
        try session.ended.wait()
        #expect(answer.contains("-32700"))
        #expect(answer.contains(result("1", "\"released\"")))
    }

    @Test func `ten thousand requests in one write are all answered`() throws {
        let count = 10_000
        let methods = ["echo", "fast", "thread", "none"]
        let session = try Session { $0.maximumInFlight = 64 }
        let input = (0..<count).map { request("\($0)", methods[$0 % 97 == 0 ? 2 : $0 % 2], "[\($0)]") }
        try session.serve()
        // The client reads while it writes, or both would wait for each other.
        try Thread.start(name: "writer") {
            try? session.send(input.joined(separator: "\n"))
            session.endInput()
        }
        var answers = try session.receiveLines()
        answers.sort()
        #expect(answers == (0..<count).map { result("\($0)", "[\($0)]") }.sorted())
        try session.ended.wait()
        let counters = try session.counters
        #expect(counters.received == count)
        #expect(counters.answered == count)
        #expect(counters.inFlight == 0)
        #expect(counters.failures.isEmpty)
    }

    @Test func `errors are counted by code`() throws {
        let session = try Session()
        let lines = [
            "x", "1", request("1", "none"), "[1,\(request("2", "fail"))]", notification("echo"),
            request("3", "fast", "[]"),
        ]
        _ = try session.answers(to: lines.joined(separator: "\n"))
        let counters = try session.counters
        #expect(counters.received == 7)
        #expect(counters.answered == 6)
        #expect(counters.failures == [-32700: 1, -32600: 2, -32601: 1, -32602: 1])
    }

    @Test func `counters that a call reads count the call itself and what came before it`() throws {
        struct Counting: Method {
            let name = "count"

            func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
                let counters = call.connectionCounters
                call.succeed { json in
                    json.array { json in
                        json.value(counters.received)
                        json.value(counters.answered)
                        json.value(counters.inFlight)
                    }
                }
            }
        }
        let session = try Session(methods: [Counting()])
        let lines = [request("1", "fast", "[]"), request("2", "none"), request("3", "count"), request("4", "count")]
        let answers = try session.answers(to: lines.joined(separator: "\n"))
        #expect(answers.contains(result("3", "[3,2,1]")))
        #expect(answers.contains(result("4", "[4,3,1]")))
    }
}
