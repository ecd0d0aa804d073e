import CKMSLibcurl
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// What a transfer sends, keeps and gives back.
@Suite struct TransferTests {
    private static let ok = RawResponder.answer("200 OK", body: "{}")

    @Test func `a request has the lines that it was given and few others`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        var request = HTTPRequest.forTests(
            responder.baseURL, target: "/kms/v1/keys/a~b/../c%2f/x?y=1&z=", body: #"{"a":1}"#)
        request.headers.append(("x-ncp-apigw-signature-v2", "c2ln"))
        _ = try Transfers().response(to: request)
        let received = try #require(responder.requests.first)
        #expect(
            received.head.split(separator: "\r\n") == [
                "POST /kms/v1/keys/a~b/../c%2f/x?y=1&z= HTTP/1.1", "Host: 127.0.0.1:\(responder.port)",
                "User-Agent: ncloud-kms-rpc/test", "Accept: */*", "Content-Type: application/json",
                "x-ncp-apigw-signature-v2: c2ln", "Content-Length: 7",
            ])
        #expect(received.body == Array(#"{"a":1}"#.utf8))
    }

    @Test func `nothing of a request is left in the next one of its handle`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let transfers = try Transfers()
        var first = HTTPRequest.forTests(responder.baseURL, body: String(repeating: "b", count: 5_000))
        first.headers += (0..<20).map { ("X-Secret-\($0)", "secret") }
        _ = try transfers.response(to: first)
        let second = HTTPRequest(
            method: .get, baseURL: responder.baseURL, target: "/latest/", allowsPlainHTTP: true)
        _ = try transfers.response(to: second)
        _ = try transfers.response(to: .forTests(responder.baseURL, body: "third"))
        let requests = responder.requests
        #expect(requests[0].body.count == 5_000)
        #expect(requests[1].head.hasPrefix("GET /latest/ HTTP/1.1\r\n"))
        #expect(!requests[1].head.contains("X-Secret") && !requests[1].head.contains("Content-"))
        #expect(requests[2].body == Array("third".utf8))
        #expect(responder.connectionCount == 1)
    }

    @Test func `an empty body of a POST is sent with its length`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok)])
        _ = try Transfers().response(to: .forTests(responder.baseURL, body: ""))
        #expect(responder.requests.first?.head.contains("Content-Length: 0\r\n") == true)
    }

    @Test func `a large body does not wait for a 100-continue`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok)])
        _ = try Transfers().response(to: .forTests(responder.baseURL, body: String(repeating: "x", count: 2 << 20)))
        #expect(responder.requests.first?.head.contains("Expect") == false)
        #expect(responder.requests.first?.body.count == 2 << 20)
    }

    @Test func `a connection serves one request after another`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let transfers = try Transfers()
        let reused = try (0..<5).map { _ in try transfers.response(to: .forTests(responder.baseURL)).reusedConnection }
        #expect(reused == [false, true, true, true, true])
        #expect(responder.connectionCount == 1)
    }

    @Test func `a connection that the server closed while idle is replaced without a failure`() throws {
        let responder = try RawResponder(scripts: [
            [.readRequest, .send(Self.ok)], [.readRequest, .send(Self.ok)], [.readRequest, .send(Self.ok)],
        ])
        let transfers = try Transfers()
        for _ in 0..<3 { #expect(try transfers.response(to: .forTests(responder.baseURL)).status == 200) }
        #expect(responder.connectionCount == 3)
    }

    @Test func `times are in order and lie around the server's answer`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let clock = SystemClock()
        let before = HTTPResponse.Moment(of: clock)
        let response = try Transfers().response(to: .forTests(responder.baseURL))
        let after = HTTPResponse.Moment(of: clock)
        #expect(before.instant <= response.sent)
        #expect(response.sent <= response.received.instant)
        #expect(response.received.instant <= after.instant)
        #expect(response.received.wallClockMilliseconds >= before.wallClockMilliseconds)
        #expect(response.received.wallClockMilliseconds <= after.wallClockMilliseconds)
        #expect(response.timing.total > 0 && response.timing.connect > 0 && response.timing.tls == 0)
        #expect(
            response.timing.nameLookup + response.timing.connect + response.timing.firstByte <= response.timing.total)
    }

    @Test(
        arguments: [
            ([], nil), (["x-ncp-request-id: c"], "c"), (["x-ncp-request-id: c", "X-NCP-Trace-Id: b"], "b"),
            (["x-ncp-apigw-request-id: a", "x-ncp-trace-id: b", "x-ncp-request-id: c"], "a"),
            (["x-ncp-apigw-request-id:", "x-ncp-trace-id:   b  "], "b"),
            (["x-ncp-trace-id: first", "x-ncp-trace-id: second"], "first"),
            (["x-ncp-trace-id: " + String(repeating: "x", count: 2_000)], nil),
        ] as [([String], String?)])
    func `the request id is the gateway's, else the trace's, else the plain one`(lines: [String], id: String?) throws {
        let responder = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK", headers: lines))])
        #expect(try Transfers().response(to: .forTests(responder.baseURL)).headers.requestID == id)
    }

    @Test func `date, age and retry-after are handed over as they were sent`() throws {
        let lines = ["DATE: Tue, 14 Nov 2023 22:13:20 GMT", "Age:0", "retry-after: \t-5 ", "Aging: 1", "Dates: 2"]
        let responder = try RawResponder([.readRequest, .send(RawResponder.answer("503 Busy", headers: lines))])
        let headers = try Transfers().response(to: .forTests(responder.baseURL)).headers
        #expect(
            headers
                == HTTPResponse.Headers(
                    date: "Tue, 14 Nov 2023 22:13:20 GMT", age: "0", retryAfter: "-5", requestID: nil))
    }

    @Test(
        arguments: [
            ("http://127.0.0.1:1", "/", [], false), ("ftp://127.0.0.1:1", "/", [], true),
            ("127.0.0.1:1", "/", [], true),
            ("https://127.0.0.1:1", "no-slash", [], true), ("https://127.0.0.1:1", "/a b", [], true),
            ("https://127.0.0.1:1", "/a#b", [], true), ("https://127.0.0.1:1", "/a\r\nX: y", [], true),
            ("https://127.0.0.1:1\n", "/", [], true), ("https://127.0.0.1:1", "/", [("X", "a\r\nY: b")], true),
            ("https://127.0.0.1:1", "/", [("X", "a\u{0}")], true),
            ("https://127.0.0.1:1", "/", [("", "no name")], true),
            ("https://127.0.0.1:1", "/", [("X: a\r\nY", "b")], true),
        ] as [(String, String, [HTTPRequest.Header], Bool)])
    func `a request that can't be sent safely is refused at its start`(
        baseURL: String, target: String, headers: [HTTPRequest.Header], plain: Bool
    ) throws {
        let transfers = try Transfers()
        let request = HTTPRequest(
            method: .get, baseURL: baseURL, target: target, headers: headers, allowsPlainHTTP: plain)
        let failure = try #require(throws: TransportFailure.self) { try transfers.start(request) }
        #expect(failure.kind == .setup)
        #expect(failure.repetition == .never)
        #expect(transfers.multi.freeConnections == 32)
    }

    @Test func `as many transfers run as there are connections`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let transfers = try Transfers(.forTests(connections: 2))
        let first = try transfers.start(.forTests(responder.baseURL))
        let second = try transfers.start(.forTests(responder.baseURL))
        #expect(transfers.multi.freeConnections == 0)
        let failure = try #require(throws: TransportFailure.self) {
            try transfers.start(.forTests(responder.baseURL))
        }
        #expect(failure.kind == .noFreeConnection)
        let outcomes = try transfers.run { $0.count == 2 }
        #expect(Set(outcomes.keys) == [first, second])
        #expect(transfers.multi.freeConnections == 2)
        #expect(responder.connectionCount == 2)
    }

    @Test func `idle connections to one host make room for another`() throws {
        let responders = try (0..<3).map { _ in try RawResponder([.readRequest, .send(Self.ok), .again]) }
        let transfers = try Transfers(.forTests(connections: 2))
        for responder in responders + responders {
            #expect(try transfers.response(to: .forTests(responder.baseURL)).status == 200)
        }
    }

    /// As the first attempt after a lost connection needs one.
    @Test func `a new connection replaces an idle one if the host has as many as it may have`() throws {
        let closed = Lock(0)
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send(Self.ok)
            connection.waitUntilPeerCloses()
            closed.withLock { $0 += 1 }
        }
        defer { responder.stop() }
        let transfers = try Transfers(.forTests(connections: 3, perHost: 2))
        for _ in 0..<2 { _ = try transfers.start(.forTests(responder.baseURL)) }
        try transfers.run { $0.count == 2 }
        var request = HTTPRequest.forTests(responder.baseURL)
        request.needsNewConnection = true
        #expect(try transfers.response(to: request).status == 200)
        try transfers.run { _ in closed.withLock { $0 } == 1 }
        #expect(responder.connectionCount == 3)
    }

    @Test func `a cancelled transfer closes its connection and has no outcome`() throws {
        let closed = Lock(false)
        let responder = try RawResponder { connection in
            try connection.readRequest()
            connection.waitUntilPeerCloses()
            closed.withLock { $0 = true }
        }
        let transfers = try Transfers()
        let id = try transfers.start(.forTests(responder.baseURL))
        try transfers.run { _ in responder.requests.count == 1 }
        transfers.multi.cancel(id)
        transfers.multi.cancel(id)
        #expect(transfers.multi.freeConnections == 32)
        let outcomes = try transfers.run { _ in closed.withLock { $0 } }
        #expect(outcomes.isEmpty)
    }

    @Test func `a time-out says what the time was spent on`() throws {
        let silent = try RawResponder([.readRequest, .waitUntilPeerCloses])
        let waiting = try Transfers().failure(of: .forTests(silent.baseURL, timeout: .milliseconds(40)))
        #expect(waiting.kind == .timedOut(.waiting))
        let stuck = try RawResponder([
            .readRequest, .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), .waitUntilPeerCloses,
        ])
        // The answer has to begin in this time, also on a busy machine.
        let receiving = try Transfers().failure(of: .forTests(stuck.baseURL, timeout: .milliseconds(500)))
        #expect(receiving.kind == .timedOut(.receiving))
    }

    @Test func `a TCP connect that nobody answers ends by its own time-out`() throws {
        let port = try UnansweringPort()
        var request = HTTPRequest.forTests("http://127.0.0.1:\(port.number)")
        request.connectTimeout = .milliseconds(40)
        let failure = try Transfers().failure(of: request)
        #expect(failure.kind == .timedOut(.connecting))
    }

    @Test func `an address without a way to it is unreachable`() throws {
        // No TCP connection can be made to the address of everybody.
        let failure = try Transfers().failure(of: .forTests("https://255.255.255.255"))
        #expect(failure.kind == .unreachable)
        #expect(failure.repetition == .afterBackoff)
    }

    @Test func `a TLS handshake that nobody answers has the attempt's time, not that of a TCP connect`() throws {
        let silent = try RawResponder([.waitUntilPeerCloses])
        var request = HTTPRequest.forTests("https://127.0.0.1:\(silent.port)", timeout: .milliseconds(400))
        request.connectTimeout = .milliseconds(20)
        let start = SystemClock().now
        let failure = try Transfers().failure(of: request)
        #expect(failure.kind == .timedOut(.handshake))
        #expect(SystemClock().now - start > .milliseconds(300))
    }

    #if os(Linux)
    @Test func `the limit of a TCP connect ends as soon as TCP stands`() throws {
        let silent = try RawResponder([.waitUntilPeerCloses])
        let transfers = try Transfers()
        let id = try transfers.start(.forTests("https://127.0.0.1:\(silent.port)"))
        try transfers.run { _ in transfers.multi.phase(of: id) == .handshake }
        let connection = try #require((3..<1_024).first { Self.peerPort(of: $0) == silent.port })
        var milliseconds: CUnsignedInt = 1
        var length = socklen_t(MemoryLayout<CUnsignedInt>.size)
        #expect(getsockopt(connection, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, &length) == 0)
        #expect(milliseconds == 0)
        transfers.multi.cancel(id)
    }

    private static func peerPort(of descriptor: CInt) -> UInt16? {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        return status == 0 ? UInt16(bigEndian: address.sin_port) : nil
    }
    #endif

    @Test func `a name that does not exist is told, and one below .invalid for good`() throws {
        // With a label of 64 letters, so that no name server is asked (RFC 1035 section 2.3.4: at most 63).
        let name = String(repeating: "x", count: 64)
        let maybe = try Transfers().failure(of: .forTests("https://\(name).example.com"))
        #expect(maybe.kind == .nameResolution(temporary: true))
        #expect(maybe.repetition == .afterBackoff)
        let failure = try Transfers().failure(of: .forTests("https://\(name).invalid:8443"))
        #expect(failure.kind == .nameResolution(temporary: false))
        #expect(failure.repetition == .never)
    }

    @Test func `an idle connection sets no timer`() throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let transfers = try Transfers()
        _ = try transfers.response(to: .forTests(responder.baseURL))
        #expect(transfers.multi.run() == nil)
    }

    @Test func `transfers under way when their owner is freed are dropped`() throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        let transfers = try Transfers()
        _ = try transfers.start(.forTests(responder.baseURL))
        try transfers.run { _ in responder.requests.count == 1 }
    }

    @Test func `what is known of connections does not grow with transfers that are cancelled while they connect`()
        throws
    {
        let port = try UnansweringPort()
        let transfers = try Transfers()
        let table = try #require(Mirror(reflecting: transfers.multi).descendant("connections") as? ConnectionTable)
        var counts: [Int] = []
        for _ in 0..<5 {
            let id = try transfers.start(.forTests("http://127.0.0.1:\(port.number)"))
            // The first has libcurl open the socket.
            _ = try transfers.run(turns: 3)
            transfers.multi.cancel(id)
            counts.append(try #require(Mirror(reflecting: table).descendant("connections") as? [Any]).count)
        }
        #expect(counts == [0, 0, 0, 0, 0])
    }
}
