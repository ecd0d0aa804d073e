import KMSEmulator
import KMSPlatform
import Testing

/// Each fault over a real socket.
@Suite(.timeLimit(.minutes(5))) struct ServedFaultTests {
    private func emulator(_ faults: String..., latency: Duration = .zero, usesTLS: Bool = false) throws -> Emulator {
        try Emulator(
            .init(usesTLS: usesTLS, latency: latency, faults: try faults.map { try Fault(parsing: $0) }))
    }

    @Test(arguments: [
        ("status=503,code=500", 503), ("html", 502), ("empty", 200), ("text,status=500", 500), ("status=204", 204),
        ("status=302", 302), ("status=200,code=FORBIDDEN", 200), ("status=429,code=410,retry-after=-5", 429),
    ])
    func `an answer replaces the real one as often as its count says`(fault: String, status: Int) throws {
        let emulator = try emulator("\(fault),count=1")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        let response = client.readResponse()
        #expect(response?.status == status)
        #expect(response?.headers["date"] != nil)
        #expect(response?.headers["x-ncp-apigw-request-id"] != nil)
        #expect(response?.headers["retry-after"] == (fault.contains("retry-after") ? "-5" : nil))
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200)
        #expect(emulator.state.faulted == 1)
        #expect(emulator.state.total == 2)
    }

    @Test(arguments: [false, true])
    func `reset is a reset before the first byte`(usesTLS: Bool) async throws {
        let emulator = try emulator("reset", usesTLS: usesTLS)
        defer { emulator.stop() }
        let (status, response) = try await Curl.send(SignedRequest(), to: emulator)
        #expect(status == 56 || status == 35)  // CURLE_RECV_ERROR; over TLS also CURLE_SSL_CONNECT_ERROR
        #expect(response.status == 0)
        #expect(emulator.state.aborted == 0)
    }

    /// What a raw socket sees of the only answer of an emulator, which must not count the request as aborted.
    private func rawAnswer(with fault: String) throws -> (text: String, end: RawClient.End) {
        let emulator = try emulator(fault)
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        let answer = client.readToEnd()
        #expect(emulator.state.aborted == 0)
        return answer
    }

    @Test func `a raw socket sees the reset`() throws {
        let (text, end) = try rawAnswer(with: "reset")
        #expect(text.isEmpty)
        #expect(end == .failed(ECONNRESET))
    }

    @Test func `a reset in the body comes after the headers`() throws {
        let (text, end) = try rawAnswer(with: "reset=body")
        #expect(end == .failed(ECONNRESET))
        #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 200"))
    }

    @Test(arguments: [false, true])
    func `a reset in the body fails the transfer`(usesTLS: Bool) async throws {
        let emulator = try emulator("reset=body", usesTLS: usesTLS)
        defer { emulator.stop() }
        let (status, _) = try await Curl.send(SignedRequest(), to: emulator)
        #expect([18, 56].contains(status))  // CURLE_PARTIAL_FILE, CURLE_RECV_ERROR
    }

    @Test func `close ends the connection without a byte`() throws {
        let (text, end) = try rawAnswer(with: "close")
        #expect(text.isEmpty)
        #expect(end == .closed)
    }

    @Test(arguments: [false, true])
    func `truncate sends half of what it announced`(usesTLS: Bool) async throws {
        let emulator = try emulator("truncate", usesTLS: usesTLS)
        defer { emulator.stop() }
        let (status, response) = try await Curl.send(SignedRequest(), to: emulator)
        #expect(status == 18 || status == 56)  // CURLE_PARTIAL_FILE; GnuTLS's cut is a CURLE_RECV_ERROR to OpenSSL
        #expect(response.status == 200)
        let announced = Int(response.headers["content-length"] ?? "") ?? 0
        #expect(response.body.utf8.count == announced / 2)
        #expect(announced > 400)
        #expect(emulator.state.aborted == 0)
    }

    @Test(arguments: ["trickle=0", "trickle=1"])
    func `trickle sends the whole body in chunks of one byte`(fault: String) async throws {
        let emulator = try emulator(fault)
        defer { emulator.stop() }
        let (status, response) = try await Curl.send(SignedRequest(keyTag: "demo-aes"), to: emulator)
        #expect(status == 0)
        #expect(response.headers["transfer-encoding"] == "chunked")
        #expect(response.headers["content-length"] == nil)
        #expect(response.body == #"{"code":"UNPROCESSABLE_ENTITY","msg":"Invalid status","data":null}"#)

        let client = try RawClient(emulator)
        client.send(SignedRequest(keyTag: "demo-aes", extraHeaders: ["Connection: close"]).message)
        let text = client.readToEnd().text
        #expect(text.contains("\r\n1\r\n{\r\n1\r\n\"\r\n"))
    }

    @Test func `a client that leaves a trickle is counted`() async throws {
        let emulator = try emulator("trickle=50")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        try await emulator.waitForState { $0.total == 1 }
        client.close()
        try await emulator.waitForState { $0.aborted == 1 }
    }

    @Test func `hang never answers, and sees the client leave`() async throws {
        let emulator = try emulator("hang,count=1")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        try await emulator.waitForState { $0.total == 1 }
        let other = try RawClient(emulator)
        other.send(SignedRequest().message)
        #expect(other.readResponse()?.status == 200)
        client.close()
        try await emulator.waitForState { $0.aborted == 1 }
        try await emulator.waitForState { $0.openConnections == 1 }
        withExtendedLifetime(other) {}
    }

    @Test func `an emulator can be stopped while requests hang, wait and trickle`() async throws {
        let emulator = try emulator(
            "hang,key=demo-rsa", "delay=3600000,key=demo-ec", "trickle=60000,key=demo-aes")
        let clients = try ["demo-rsa", "demo-ec", "demo-aes"].map { keyTag in
            let client = try RawClient(emulator)
            client.send(SignedRequest(keyTag: keyTag).message)
            return client
        }
        try await emulator.waitForState { $0.total == 3 }
        emulator.stop()
        for client in clients { #expect(client.readToEnd().end != .failed(EAGAIN)) }
        #expect(emulator.state.aborted == 0)
    }

    @Test func `latency delays every answer and blocks no other`() async throws {
        let emulator = try emulator(latency: .milliseconds(200))
        defer { emulator.stop() }
        let start = SystemClock().now
        let clients = try (0..<30).map { _ in try RawClient(emulator) }
        for client in clients { client.send(SignedRequest().message) }
        #expect(clients.allSatisfy { $0.readResponse()?.status == 200 })
        // One after the other they would take six seconds; a slow machine may well take two.
        #expect((200..<5_000).contains((SystemClock().now - start).milliseconds))
        #expect(emulator.state.aborted == 0)
    }

    @Test func `a client that leaves before a late answer is counted`() async throws {
        let emulator = try emulator("delay=3600000")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        try await emulator.waitForState { $0.total == 1 }
        client.close()
        try await emulator.waitForState { $0.aborted == 1 }
    }

    @Test func `jitter adds a random part of itself`() throws {
        let asked = Lock(0)
        let configuration = Emulator.Configuration(
            usesTLS: false, jitter: .milliseconds(40),
            random: {
                asked.withLock { $0 += 1 }
                return 0.5
            })
        let emulator = try Emulator(configuration)
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        let start = SystemClock().now
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200)
        #expect((SystemClock().now - start).milliseconds >= 20)
        #expect(asked.withLock { $0 } == 1)
    }

    @Test func `a connection is closed after every n-th answer`() throws {
        let emulator = try emulator("close-every=3")
        defer { emulator.stop() }
        for _ in 0..<2 {
            let client = try RawClient(emulator)
            for number in 1...3 {
                client.send(SignedRequest().message)
                let response = client.readResponse()
                #expect(response?.status == 200)
                #expect(response?.headers["connection"] == (number == 3 ? "close" : nil))
            }
            #expect(client.readToEnd().end == .closed)
        }
        #expect(emulator.state.perConnection == [3, 3])
    }

    /// The symptom: libmicrohttpd added a second `Date`, of the right time, and clients took the skew back.
    @Test func `the last answer of a connection has one date, that of the skewed clock`() throws {
        let emulator = try emulator("skew=-730d", "close-every=1")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        let lines = client.readToEnd().text.split(separator: "\r\n")
        #expect(lines.contains("Connection: close"))
        let dates = lines.filter { $0.hasPrefix("Date: ") }
        #expect(dates.count == 1)
        let year = CivilTime(seconds: SystemClock().wallClockMilliseconds / 1_000).year
        #expect(dates.allSatisfy { !$0.contains(" \(year) ") }, "\(dates)")
    }

    @Test(arguments: [360_000, -360_000, 63_072_000_000] as [Int64])
    func `a skewed clock refuses the right time and accepts its own`(skew: Int64) throws {
        let emulator = try emulator("skew=\(skew)ms")
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        let refused = client.readResponse()
        #expect(refused?.status == 401)
        #expect(refused?.body.contains("\"errorCode\":\"200\"") == true)
        #expect(refused?.headers["date"] != nil)
        client.send(SignedRequest(timestamp: SystemClock().wallClockMilliseconds + skew).message)
        #expect(client.readResponse()?.status == 200)
    }

    @Test func `idle connections are closed in good order, busy ones are not`() async throws {
        let emulator = try emulator("hang,key=demo-ec")
        defer { emulator.stop() }
        let idle = try RawClient(emulator)
        idle.send(SignedRequest().message)
        #expect(idle.readResponse()?.status == 200)
        let busy = try RawClient(emulator)
        busy.send(SignedRequest(keyTag: "demo-ec").message)
        try await emulator.waitForState { $0.total == 2 }
        emulator.closeIdleConnections()
        #expect(idle.readToEnd().end == .closed)
        // Both clients still hold their ends, so it was the emulator that closed one.
        try await emulator.waitForState { $0.openConnections == 1 }
        withExtendedLifetime((idle, busy)) {}
    }

    @Test func `a connection can be closed right after an answer`() throws {
        let emulator = try emulator()
        defer { emulator.stop() }
        for _ in 0..<100 {
            let client = try RawClient(emulator)
            client.send(SignedRequest().message)
            #expect(client.readResponse()?.status == 200)
            // The emulator may not have noticed yet that its answer is complete.
            emulator.closeIdleConnections()
            #expect(client.readToEnd().end == .closed)
        }
    }

    @Test func `rates come from the injected numbers`() throws {
        let numbers = Lock([0.9, 0.1, 0.9, 0.1])
        let emulator = try Emulator(
            .init(
                usesTLS: false, faults: [try Fault(parsing: "status=500,rate=0.5")],
                random: { numbers.withLock { $0.removeFirst() } }))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        let statuses = (0..<4).map { _ in
            client.send(SignedRequest().message)
            return client.readResponse()?.status
        }
        #expect(statuses == [200, 500, 200, 500])
    }
}
