import CKMSOpenSSL
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A connection that was kept is used for another request only if it is silent and alive.
@Suite struct KeptConnectionTests {
    /// An answer that says to which request it is one.
    private static func answer(to target: String, status: String = "200 OK") -> String {
        RawResponder.answer(status, body: target)
    }

    private static func target(of request: RawConnection.Request) -> String {
        String(request.head.split(separator: " ").dropFirst().first ?? "")
    }

    /// What the server sends after its answer, without having been asked.
    private static let surplus: [(name: String, text: String)] = [
        ("a whole answer", answer(to: "/surplus")), ("a stray 400", answer(to: "/surplus", status: "400 Bad Request")),
        ("a stray 408", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"),
        ("an interim answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("an empty line", "\r\n"), ("a single byte", "x"),
    ]

    @Test(arguments: surplus.indices)
    func `what came on an idle connection is no answer to the next request`(index: Int) throws {
        let text = Self.surplus[index].text
        let sent = Lock(0)
        let isAnswered = try Descriptors.pipe()
        defer { for end in [isAnswered.read, isAnswered.write] { close(end) } }
        let responder = try RawResponder { connection in
            while true {
                let request = try connection.readRequest()
                try connection.send(Self.answer(to: Self.target(of: request)))
                // The client has its answer, and the connection is idle.
                var byte: UInt8 = 0
                _ = read(isAnswered.read, &byte, 1)
                // Over loopback it has arrived when this returns.
                try connection.send(text)
                sent.withLock { $0 += 1 }
            }
        }
        let transfers = try Transfers()
        for number in 1...5 {
            let response = try transfers.response(to: .forTests(responder.baseURL, target: "/\(number)"))
            #expect(response.status == 200)
            #expect(String(decoding: response.body, as: UTF8.self) == "/\(number)")
            #expect(!response.reusedConnection)
            var byte: UInt8 = 0
            write(isAnswered.write, &byte, 1)
            try transfers.run { _ in sent.withLock { $0 } == number }
        }
        #expect(responder.requests.map(Self.target(of:)) == (1...5).map { "/\($0)" })
        #expect(responder.connectionCount == 5)
    }

    /// Answers in the forms in which libcurl finds their end.
    private static let forms: [@Sendable (_ target: String) -> String] = [
        { answer(to: $0) },
        { _ in "HTTP/1.1 204 No Content\r\n\r\n" },
        { target in
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "\(String(target.utf8.count, radix: 16))\r\n\(target)\r\n0\r\n\r\n"
        },
        // Longer than what libcurl reads at once: from then on it reads no more than the body, and leaves the rest.
        { answer(to: $0 + String(repeating: " ", count: 5_000)) },
    ]

    @Test(arguments: forms.indices)
    func `two answers to one request are one answer`(form: Int) throws {
        let responder = try RawResponder { connection in
            while true {
                let target = Self.target(of: try connection.readRequest())
                try connection.send(Self.forms[form](target) + Self.answer(to: "/surplus"))
            }
        }
        let transfers = try Transfers()
        for number in 1...10 {
            let response = try transfers.response(to: .forTests(responder.baseURL, target: "/\(number)"))
            let body = String(decoding: response.body, as: UTF8.self)
            #expect(body.split(separator: " ") == ["/\(number)"] || response.status == 204 && body.isEmpty)
        }
        #expect(responder.requests.count == 10)
    }

    @Test func `after a surplus answer no connection is used twice for a minute`() throws {
        let responder = try RawResponder { connection in
            while true {
                let target = Self.target(of: try connection.readRequest())
                try connection.send(Self.forms[3](target) + (target == "/1" ? Self.answer(to: "/surplus") : ""))
            }
        }
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        func isReused(_ target: String) throws -> Bool {
            try transfers.response(to: .forTests(responder.baseURL, target: target)).reusedConnection
        }
        #expect(try [isReused("/0"), isReused("/1")] == [false, true])
        #expect(transfers.takeDistrust() == 0)
        #expect(try [isReused("/2"), isReused("/3")] == [false, false])
        #expect(transfers.takeDistrust() == 1)
        clock.advance(by: .seconds(60))
        #expect(try isReused("/4"))
        #expect(transfers.takeDistrust() == 0)
    }

    @Test func `a new connection that answers before it is asked is a failed attempt`() throws {
        // A SOCKS proxy (RFC 1928) sends its last answer and the surplus at once, so the surplus is never too late.
        let proxy = try RawResponder { connection in
            try connection.readSome()
            try connection.send([5, 0])
            try connection.readSome()
            try connection.send([5, 0, 0, 1, 127, 0, 0, 1, 0, 80] + Array(Self.answer(to: "/surplus").utf8))
            connection.waitUntilPeerCloses()
        }
        let configuration = TransportConfiguration.forTests(
            proxy: try ProxyConfiguration(url: "socks5://127.0.0.1:\(proxy.port)"))
        let failure = try Transfers(configuration).failure(of: .forTests("http://127.0.0.1:80"))
        #expect(failure.kind == .connectionLost(.unasked))
        #expect(failure.repetition == .afterBackoff)
    }

    // MARK: TLS

    /// A TLS server in front of a script: for each request it sends an answer that names its target, and for the target
    /// `/surplus` a second one in the same record, which OpenSSL decrypts with the first.
    private static let server = """
        import socket, ssl, sys, threading
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, sys.argv[3])
        listener = socket.create_server(("127.0.0.1", 0))
        print("PORT %d" % listener.getsockname()[1], flush=True)
        def answer(target):
            body = target.encode()
            head = "HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
            return head.encode() + body
        def serve(connection, number):
            try:
                connection = context.wrap_socket(connection, server_side=True)
                data = b""
                while True:
                    while b"\\r\\n\\r\\n" not in data or not data.endswith(b"{}"):
                        more = connection.recv(4096)
                        if not more: return
                        data += more
                    target = data.split()[1].decode()
                    data = b""
                    if target == "/surplus":
                        connection.sendall(answer("x" * 5000) + answer("/wrong"))
                    else:
                        connection.sendall(answer("%d %s" % (number, target)))
            except (OSError, ssl.SSLError):
                pass
        number = 0
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()
            number += 1

        """

    private static func startServer(_ version: String) throws -> (
        ChildProcess, baseURL: String, caFile: String, TestAuthority
    ) {
        let authority = try TestAuthority()
        let identity = try authority.makeIdentity()
        let process = try ChildProcess(
            "/usr/bin/python3", ["-c", server, identity.certificate, identity.key, version])
        let line = try process.waitForLine(containing: "PORT")
        return (process, "https://127.0.0.1:\(line.split(separator: " ")[1])", authority.file, authority)
    }

    @Test(
        .enabled(if: isExecutable("/usr/bin/python3"), "python3 is not installed"), arguments: ["TLSv1_2", "TLSv1_3"])
    func `session tickets cost no connection, and a decrypted second answer is not used`(version: String) throws {
        let (process, baseURL, caFile, authority) = try Self.startServer(version)
        defer { withExtendedLifetime((process, authority)) {} }
        let transfers = try Transfers(.forTests(caFile: caFile))
        func body(_ target: String) throws -> String {
            String(decoding: try transfers.response(to: .forTests(baseURL, target: target)).body, as: UTF8.self)
        }
        // 0 is the number of the connection: TLS 1.3 sends two tickets at its beginning.
        for _ in 0..<20 { #expect(try body("/a") == "0 /a") }
        #expect(try body("/surplus").count == 5_000)
        #expect(try body("/b") == "1 /b")
        // No connection is used twice now.
        #expect(try body("/c") == "2 /c")
    }

    // MARK: Dead connections

    /// A server that forgets its connections as a NAT table does: they stay open, and are never answered again.
    private final class Forgetful: Sendable {
        /// The connections that were forgotten are those before this number.
        private let firstRemembered = Lock(0)
        let responder: RawResponder

        init() throws {
            let firstRemembered = firstRemembered
            responder = try RawResponder { connection in
                while true {
                    try connection.readRequest()
                    guard connection.number >= firstRemembered.withLock({ $0 }) else { continue }
                    try connection.send(RawResponder.answer("200 OK", body: "\(connection.number)"))
                }
            }
        }

        func forget() { firstRemembered.withLock { $0 = responder.connectionCount } }

        /// Has a number of connections answered at once, and left idle.
        func open(_ count: Int, _ transfers: Transfers) throws {
            let ids = try (0..<count).map { _ in try transfers.start(.forTests(responder.baseURL)) }
            let outcomes = try transfers.run { $0.count == ids.count }
            for outcome in outcomes.values { #expect(try outcome.get().status == 200) }
            #expect(responder.connectionCount == count)
        }
    }

    @Test func `after one dead connection no other idle one is tried`() throws {
        let server = try Forgetful()
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        try server.open(3, transfers)
        server.forget()
        clock.advance(by: .milliseconds(5_001))
        var request = HTTPRequest.forTests(server.responder.baseURL)
        request.hasAnotherAttempt = true
        let id = try transfers.start(request)
        try transfers.run { _ in server.responder.requests.count == 4 }
        clock.advance(by: .seconds(3))
        let outcome = try #require(try transfers.run(turns: 1)[id])
        let failure = try #require(throws: TransportFailure.self) { try outcome.get() }
        #expect(failure.kind == .timedOut(.waiting))
        #expect(failure.needsNewConnection)
        for _ in 0..<5 { #expect(try transfers.response(to: .forTests(server.responder.baseURL)).status == 200) }
        // Three at first, one in vain, and five on one new connection.
        #expect(server.responder.requests.count == 9)
        #expect(server.responder.connectionCount == 4)
    }

    @Test func `of connections that are reset one after another only the first is tried`() throws {
        let mustReset = Lock(false)
        let responder = try RawResponder { connection in
            while true {
                try connection.readRequest()
                if mustReset.withLock({ $0 }), connection.number < 4 { return connection.reset() }
                try connection.send(RawResponder.answer("200 OK"))
            }
        }
        let transfers = try Transfers()
        let ids = try (0..<4).map { _ in try transfers.start(.forTests(responder.baseURL)) }
        try transfers.run { $0.count == ids.count }
        mustReset.withLock { $0 = true }
        #expect(try transfers.response(to: .forTests(responder.baseURL)).status == 200)
        #expect(responder.requests.count == 6)
        #expect(responder.connectionCount == 5)
    }

    @Test func `a request that asks for a new connection has one, though others are idle`() throws {
        let server = try Forgetful()
        let transfers = try Transfers()
        try server.open(2, transfers)
        var request = HTTPRequest.forTests(server.responder.baseURL)
        request.needsNewConnection = true
        #expect(try !transfers.response(to: request).reusedConnection)
        #expect(server.responder.connectionCount == 3)
        #expect(try transfers.response(to: .forTests(server.responder.baseURL)).reusedConnection)
    }

    @Test func `a connection that was idle for long has 3 s to answer, if there is another attempt`() throws {
        let server = try Forgetful()
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        try server.open(2, transfers)
        server.forget()
        clock.advance(by: .milliseconds(5_001))
        var request = HTTPRequest.forTests(server.responder.baseURL)
        request.hasAnotherAttempt = true
        let id = try transfers.start(request)
        try transfers.run { _ in server.responder.requests.count == 3 }
        #expect(transfers.multi.run() == .seconds(3))
        clock.advance(by: .milliseconds(2_999))
        #expect(try transfers.run(turns: 1).isEmpty)
        clock.advance(by: .milliseconds(1))
        let outcome = try #require(try transfers.run(turns: 1)[id])
        let failure = try #require(throws: TransportFailure.self) { try outcome.get() }
        #expect(failure.kind == .timedOut(.waiting))
        #expect(failure.needsNewConnection)
        // The other idle one is not tried.
        #expect(try !transfers.response(to: .forTests(server.responder.baseURL)).reusedConnection)
    }

    @Test func `nobody looks at transfers that wait for answers on sound connections`() throws {
        let server = try Forgetful()
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        try server.open(1, transfers)
        server.forget()
        clock.advance(by: .seconds(4))
        let id = try transfers.start(.forTests(server.responder.baseURL))
        try transfers.run { _ in server.responder.requests.count == 2 }
        // Only the attempt's own time is left.
        #expect(try #require(transfers.multi.run()) > .seconds(5))
        transfers.multi.cancel(id)
    }

    @Test func `a call that gives up after a silence takes the other idle connections with it`() throws {
        let server = try Forgetful()
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        try server.open(2, transfers)
        server.forget()
        let id = try transfers.start(.forTests(server.responder.baseURL))
        try transfers.run { _ in server.responder.requests.count == 3 }
        clock.advance(by: .seconds(1))
        transfers.multi.cancel(id)
        #expect(try !transfers.response(to: .forTests(server.responder.baseURL)).reusedConnection)
        #expect(server.responder.connectionCount == 3)
    }

    @Test func `calls with little time do not try dead connections one by one`() throws {
        let server = try Forgetful()
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        try server.open(8, transfers)
        server.forget()
        let id = try transfers.start(.forTests(server.responder.baseURL))
        try transfers.run { _ in server.responder.requests.count == 9 }
        clock.advance(by: .milliseconds(40))
        transfers.multi.cancel(id)
        for _ in 0..<8 { #expect(try transfers.response(to: .forTests(server.responder.baseURL)).status == 200) }
        // Eight at first, one in vain, and eight on one new connection.
        #expect(server.responder.requests.count == 17)
        #expect(server.responder.connectionCount == 9)
    }

    @Test func `a transfer that libcurl repeats on a new connection is watched as from the beginning`() throws {
        let authority = try TestAuthority()
        let context = try TLSServerContext(try authority.makeIdentity(), version: TLS1_3_VERSION)
        let responder = try RawResponder { connection in
            // The second one is never heard of.
            guard connection.number == 0 else { return connection.waitUntilPeerCloses() }
            try connection.withDescriptor { descriptor in
                let end = try TLSServerEnd(context, socket: descriptor)
                try end.write(Self.answer(to: try end.readTarget()))
                _ = try end.readTarget()
            }
            connection.reset()
        }
        let transfers = try Transfers(.forTests(caFile: authority.file))
        let baseURL = "https://127.0.0.1:\(responder.port)"
        #expect(try transfers.response(to: .forTests(baseURL, target: "/1")).status == 200)
        let id = try transfers.start(.forTests(baseURL, target: "/2"))
        // It is asked between the turns, as the program does: what waits for an answer is not looked at any more.
        try transfers.run { _ in responder.connectionCount == 2 }
        let phase = transfers.multi.phase(of: id)
        #expect(phase == .connecting || phase == .handshake)
        #expect(try #require(transfers.multi.run()) <= .milliseconds(100))
        transfers.multi.cancel(id)
    }
}
