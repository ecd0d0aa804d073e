import KMSTestSupport
import Testing

@testable import NCloudKMS

/// What a server can do to a plain connection, byte by byte.
@Suite struct RawFaultTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"
    private static let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    struct Fault: Sendable, CustomTestStringConvertible {
        var name: String
        var script: [RawResponder.Step]
        var kind: TransportFailure.Kind

        var testDescription: String { name }

        init(
            _ name: String, _ script: [RawResponder.Step], _ kind: TransportFailure.Kind
        ) {
            (self.name, self.script, self.kind) = (name, script, kind)
        }
    }

    @Test(arguments: [
        Fault("reset before the header", [.readRequest, .reset], .connectionLost(.reset)),
        Fault(
            "reset in the status line", [.readRequest, .send("HTTP/1.1 20"), .reset], .connectionLost(.reset)),
        Fault(
            "reset in the header", [.readRequest, .send("HTTP/1.1 200 OK\r\nDate: x"), .reset],
            .connectionLost(.reset)),
        Fault("closed without an answer", [.readRequest], .connectionLost(.empty)),
        Fault("closed in the header", [.readRequest, .send(head)], .connectionLost(.cut)),
        Fault(
            "closed in a header that announces no length", [.readRequest, .send("HTTP/1.1 200 OK\r\nDate: x\r\n")],
            .connectionLost(.cut)),
        Fault("cut body", [.readRequest, .send(head + "\r\n{}")], .connectionLost(.cut)),
        Fault(
            "cut chunk", [.readRequest, .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}")],
            .connectionLost(.cut)),
        Fault(
            "cut between chunks",
            [.readRequest, .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")],
            .connectionLost(.cut)),
        Fault(
            "garbage", [.readRequest, .send("\u{1}\u{2}\u{3} not HTTP at all\r\n\r\n")], .badResponse),
        Fault("HTTP/0.9", [.readRequest, .send("<html>hello</html>")], .badResponse),
        Fault(
            "64 KiB + 1, announced",
            [
                .readRequest,
                .send(RawResponder.answer("200 OK", body: String(repeating: "x", count: (64 << 10) + 1))),
            ], .tooLarge),
        Fault(
            "64 KiB + 1, until the end",
            [
                .readRequest,
                .send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + String(repeating: "x", count: (64 << 10) + 1)),
            ], .tooLarge),
        Fault(
            "endless header",
            [.readRequest, .send("HTTP/1.1 200 OK\r\n" + String(repeating: "X-Filler: 0123456789\r\n", count: 4_000))],
            .tooLarge),
        Fault(
            "trailers of 100 KB",
            [
                .readRequest,
                .send(chunked + "0\r\n" + String(repeating: "X-Filler: 0123456789\r\n", count: 4_500) + "\r\n"),
            ],
            .tooLarge),
        Fault(
            "trailer line of 100 KB",
            [.readRequest, .send(chunked + "0\r\nX-Long: " + String(repeating: "x", count: 100_000) + "\r\n\r\n")],
            .tooLarge),
        Fault(
            "chunk extension of 100 KB",
            [.readRequest, .send(chunked + "2;x=" + String(repeating: "x", count: 100_000) + "\r\n{}\r\n0\r\n\r\n")],
            .tooLarge),
        Fault(
            "chunks of one byte with 100 KB of sizes",
            [.readRequest, .send(chunked + String(repeating: "0000000001\r\nx\r\n", count: 7_000) + "0\r\n\r\n")],
            .tooLarge),
        Fault(
            "chunks of 64 KiB + 1",
            [.readRequest, .send(chunked + "10001\r\n" + String(repeating: "x", count: (64 << 10) + 1))],
            .tooLarge),
        Fault(
            "chunk of 64 KiB + 1, cut at its start", [.readRequest, .send(chunked + "10001\r\n{}")], .tooLarge),
        Fault("chunk size of 2^63", [.readRequest, .send(chunked + "8000000000000000\r\n{}")], .badResponse),
        Fault("chunk size of 2^64", [.readRequest, .send(chunked + "10000000000000000\r\n{}")], .badResponse),
        Fault("no chunks where they are announced", [.readRequest, .send(chunked + "{}\r\n0\r\n\r\n")], .badResponse),
        Fault(
            "header line of 200 KB",
            [.readRequest, .send("HTTP/1.1 200 OK\r\nX-Long: " + String(repeating: "x", count: 200_000) + "\r\n\r\n")],
            .tooLarge),
    ])
    func `a fault is told by its kind`(fault: Fault) throws {
        let responder = try RawResponder(fault.script)
        let failure = try Transfers().failure(of: .forTests(responder.baseURL))
        #expect(failure.kind == fault.kind)
        #expect(failure.message.contains(responder.baseURL))
    }

    /// What a server sends again and again after the head of its answer.
    @Test(arguments: [
        ("", "X-Filler: 0123456789\r\n"), ("", "x"), ("\r\n0\r\n", "X-Filler: 0123456789\r\n"), ("\r\n0\r\n", "x"),
        ("\r\n1;", "x"), ("\r\n", "1\r\nx\r\n"), ("\r\n", "00000000"),
    ])
    func `nothing of an answer may go on without an end`(start: String, piece: String) throws {
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + start)
            while true { try connection.send(String(repeating: piece, count: 1_000)) }
        }
        let failure = try Transfers().failure(of: .forTests(responder.baseURL))
        #expect(failure.kind == (piece == "00000000" ? .badResponse : .tooLarge))
    }

    @Test func `a reset in the body is told even though bytes came`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.head + "\r\n{}"), .reset])
        let failure = try Transfers().failure(of: .forTests(responder.baseURL))
        guard case .connectionLost = failure.kind else { return #expect(Bool(false), "\(failure)") }
    }

    @Test func `a refused connection is told as such`() throws {
        let responder = try RawResponder([])
        let address = responder.baseURL
        let transfers = try Transfers()
        // The port of a server that is gone.
        responder.stop()
        let failure = try transfers.run(untilRefusedBy: address)
        #expect(failure.repetition == .afterBackoff)
    }

    @Test(arguments: [204, 301, 302, 304, 307, 401, 404, 429, 500, 503])
    func `an answer is an answer whatever its status`(status: Int) throws {
        let bodyless = status == 204 || status == 304
        let text =
            bodyless
            ? "HTTP/1.1 \(status) Text\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
            : RawResponder.answer(
                "\(status) Text", headers: ["Location: http://127.0.0.1:1/", "WWW-Authenticate: Basic"], body: "text")
        let responder = try RawResponder([.readRequest, .send(text), .again])
        let response = try Transfers().response(to: .forTests(responder.baseURL))
        #expect(response.status == status)
        #expect(response.body == Array((bodyless ? "" : "text").utf8))
        #expect(responder.requests.count == 1)
    }

    @Test func `an empty body and one of exactly 64 KiB are accepted`() throws {
        let largest = String(repeating: "y", count: 64 << 10)
        let responder = try RawResponder(scripts: [
            [
                .readRequest, .send(RawResponder.answer("200 OK")), .readRequest,
                .send(RawResponder.answer("200 OK", body: largest)),
            ]
        ])
        let transfers = try Transfers()
        #expect(try transfers.response(to: .forTests(responder.baseURL)).body.isEmpty)
        #expect(try transfers.response(to: .forTests(responder.baseURL)).body == Array(largest.utf8))
    }

    @Test func `a body that trickles in chunks comes whole, and its trailers don't count`() throws {
        let pieces = "2\r\n{\"\r\n|1;ext=1\r\na\r\n|4\r\n\":1}\r\n|0\r\n|Retry-After: 9\r\nAge: 1\r\n\r\n".split(
            separator: "|")
        let responder = try RawResponder(
            [.readRequest, .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Age\r\n\r\n")]
                + pieces.map { .send(String($0)) } + [.waitUntilPeerCloses])
        let response = try Transfers().response(to: .forTests(responder.baseURL))
        #expect(String(decoding: response.body, as: UTF8.self) == #"{"a":1}"#)
        #expect(response.headers == HTTPResponse.Headers())
    }

    @Test(arguments: [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nRetry-After: 7\r\nx-ncp-trace-id: early\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nAge: 4\r\n\r\n",
    ])
    func `the final answer counts, not the informational ones before it`(before: String) throws {
        let final = RawResponder.answer("200 OK", headers: ["x-ncp-request-id: final"], body: "{}")
        let responder = try RawResponder([.readRequest, .send(before), .send(final), .waitUntilPeerCloses])
        let response = try Transfers().response(to: .forTests(responder.baseURL))
        #expect(response.status == 200)
        #expect(response.headers == HTTPResponse.Headers(requestID: "final"))
        #expect(String(decoding: response.body, as: UTF8.self) == "{}")
    }

    @Test func `a field that looks like a status line is not one`() throws {
        let text = "HTTP/1.1 404 Not Found\r\nHTTP/1.1 200 OK: x\r\nContent-Length: 0\r\n\r\n"
        let responder = try RawResponder([.readRequest, .send(text)])
        #expect(try Transfers().response(to: .forTests(responder.baseURL)).status == 404)
    }

    @Test func `a switch of protocols is an answer without a body`() throws {
        let responder = try RawResponder([
            .readRequest, .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz"),
            .waitUntilPeerCloses,
        ])
        let response = try Transfers().response(to: .forTests(responder.baseURL))
        #expect(response.status == 101)
        #expect(response.body.isEmpty)
    }

    @Test func `an encoded body is handed over as it is`() throws {
        let bytes: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xAB, 0xAE, 5, 0, 0x43, 0xBF, 0xA6, 0xA3, 2, 0, 0, 0]
        let responder = try RawResponder([
            .readRequest,
            .send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(bytes.count)\r\n\r\n"),
            .sendBytes(bytes),
        ])
        #expect(try Transfers().response(to: .forTests(responder.baseURL)).body == bytes)
    }

    @Test func `a body without a length ends with its connection`() throws {
        let responder = try RawResponder([.readRequest, .send("HTTP/1.1 200 OK\r\n\r\n{}")])
        #expect(try Transfers().response(to: .forTests(responder.baseURL)).body == Array("{}".utf8))
    }
}

extension Transfers {
    /// Sends until the port of a server that was just stopped refuses: the server's own thread closes it.
    fileprivate func run(untilRefusedBy baseURL: String) throws -> TransportFailure {
        while true {
            let failure = try failure(of: .forTests(baseURL))
            if failure.kind == .connectionRefused { return failure }
        }
    }
}
