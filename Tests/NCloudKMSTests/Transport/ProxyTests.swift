import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite struct ProxyTests {
    private static func proxy(_ responder: RawResponder) throws -> ProxyConfiguration {
        try ProxyConfiguration(url: "http://user:s%40cret@127.0.0.1:\(responder.port)")
    }

    private static let https = HTTPRequest(method: .get, baseURL: "https://kms.example.com", target: "/")

    @Test func `a request goes through the proxy with its user and password`() throws {
        let responder = try RawResponder([.readRequest, .send("HTTP/1.1 200 OK\r\n\r\n"), .waitUntilPeerCloses])
        let transfers = try Transfers(.forTests(proxy: try Self.proxy(responder)))
        let id = try transfers.start(Self.https)
        try transfers.run { _ in responder.requests.count == 1 }
        transfers.multi.cancel(id)
        let head = try #require(responder.requests.first?.head)
        #expect(head.hasPrefix("CONNECT kms.example.com:443 HTTP/1.1\r\n"))
        #expect(head.contains("Proxy-Authorization: Basic dXNlcjpzQGNyZXQ=\r\n"))
    }

    @Test(arguments: [
        (407, Repetition.never), (403, .never), (502, .afterBackoff), (503, .afterBackoff), (504, .afterBackoff),
    ])
    func `a proxy that refuses is told by its status`(status: Int, repetition: Repetition) throws {
        let answer = RawResponder.answer("\(status) No", headers: ["Date: x"], body: "no")
        let responder = try RawResponder([.readRequest, .send(answer)])
        let failure = try Transfers(.forTests(proxy: try Self.proxy(responder))).failure(of: Self.https)
        #expect(failure.kind == .proxy(.refused(status: status)))
        #expect(failure.repetition == repetition)
        #expect(!failure.message.contains("cret"))
    }

    /// What a proxy sends before, and then without an end.
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n", "X-Filler: 0123456789\r\n"), ("HTTP/1.1 407 No\r\n", "X-Filler: 0123456789\r\n"),
        ("HTTP/1.1 200 OK\r\nX-Long: ", "x"), ("HTTP/1.1 407 No\r\nContent-Length: 999999999\r\n\r\n", "x"),
        ("HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ])
    func `an answer to CONNECT without an end is ended`(start: String, piece: String) throws {
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send(start)
            while true { try connection.send(String(repeating: piece, count: 1_000)) }
        }
        // By this clock no turn lasts too long, however slow the machine is.
        let transfers = try Transfers(.forTests(proxy: try Self.proxy(responder)), clock: ManualClock())
        #expect(try transfers.failure(of: Self.https).kind == .proxy(.tooLarge))
    }

    @Test func `a CONNECT that nobody answers has the attempt's time, not that of a TCP connect`() throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        var request = Self.https
        request.connectTimeout = .milliseconds(20)
        request.attemptTimeout = .milliseconds(400)
        let start = SystemClock().now
        let failure = try Transfers(.forTests(proxy: try Self.proxy(responder))).failure(of: request)
        #expect(failure.kind == .timedOut(.handshake))
        #expect(SystemClock().now - start > .milliseconds(300))
    }

    @Test func `a proxy that is not there is told from a service that is not there`() throws {
        let responder = try RawResponder([])
        let proxy = try Self.proxy(responder)
        responder.stop()
        let transfers = try Transfers(.forTests(proxy: proxy))
        // The port closes a moment after the stop.
        var kind = try transfers.failure(of: Self.https).kind
        while kind != .proxy(.unreachable) {
            guard case .connectionLost = kind else { break }
            kind = try transfers.failure(of: Self.https).kind
        }
        #expect(kind == .proxy(.unreachable))
    }

    /// What libcurl says of a connection that it did not get, and whether it is the proxy's.
    @Test(arguments: [
        ("http://[::1]:9", "Failed to connect to ::1 port 9 after 0 ms: Couldn't connect to server", true),
        ("http://[::1]:9", "Failed to connect to ::1 port 90 after 0 ms: Couldn't connect to server", false),
        ("http://h:80", "Failed to connect to h port 80 after 0 ms: Couldn't connect to server", true),
        ("http://h:80", "Failed to connect to h port 8080 after 0 ms: Couldn't connect to server", false),
        ("http://h", "Failed to connect to h port 1080 after 0 ms: Couldn't connect to server", true),
        ("http://h", "Failed to connect to h port 443 after 0 ms: Couldn't connect to server", false),
        ("https://h", "Failed to connect to h port 443 after 0 ms: Couldn't connect to server", true),
        ("socks5h://h", "Failed to connect to h port 1080", true),
        ("http://h:1", "Failed to connect to other port 1 after 0 ms: Couldn't connect to server", false),
    ])
    func `the proxy is told from the service by its address and port`(
        url: String, text: String, isNamed: Bool
    ) throws {
        #expect(try ProxyConfiguration(url: url).isNamed(in: text) == isNamed)
    }

    @Test func `a scheme ends where its bytes do, whatever combines with the last slash`() throws {
        let url = "http://\u{599}:1"
        #expect(try ProxyConfiguration(url: url).url == url)
    }

    @Test func `a request that is direct does not see the proxy`() throws {
        let proxyServer = try RawResponder([.readRequest, .send(RawResponder.answer("502 Proxy"))])
        let server = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK")), .again])
        var direct = HTTPRequest.forTests(server.baseURL)
        direct.isDirect = true
        let transfers = try Transfers(.forTests(proxy: try Self.proxy(proxyServer)))
        #expect(try transfers.response(to: direct).status == 200)
        #expect(try transfers.response(to: .forTests(server.baseURL)).status == 502)
        #expect(try transfers.response(to: direct).status == 200)
    }

    @Test func `the variables that libcurl reads by itself are not looked at`() async {
        await #expect(processExitsWith: .success) {
            for name in ["http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                setenv(name, "http://127.0.0.1:1", 1)
            }
            setenv("NO_PROXY", "*", 1)
            let server = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK")), .again])
            let direct = try Transfers().response(to: .forTests(server.baseURL)).status
            try #require(direct == 200)
            let proxy = try RawResponder([.readRequest, .send(RawResponder.answer("502 Proxy"))])
            let proxied = try Transfers(.forTests(proxy: ProxyConfiguration(url: proxy.baseURL)))
            try #require(try proxied.response(to: .forTests(server.baseURL)).status == 502)
        }
    }

    @Test(arguments: [
        "http://127.0.0.1:99999", "foo://host:1", "http://", "", "http://host:1/path", "http://host:1/?q", "a b",
        "http://user:hunter2@host:port",
    ])
    func `a proxy that can't be one is refused without repeating it`(url: String) throws {
        let failure = try #require(throws: InvalidValue.self) { try ProxyConfiguration(url: url) }
        #expect(failure.name == "proxy")
        #expect(!"\(failure)".contains("hunter2"))
    }

    @Test(arguments: [
        "http://user:hunter@2@host:1", "http://user:hunter/2@host:1", "http://user:hunter#2@host:1",
    ])
    func `a password that is not escaped is refused with a hint, and not repeated`(url: String) throws {
        let failure = try #require(throws: InvalidValue.self) { try ProxyConfiguration(url: url, name: "A_VARIABLE") }
        #expect(failure.name == "A_VARIABLE")
        #expect(failure.problem.contains("%40") && failure.problem.contains("%2F"))
        #expect(!failure.problem.contains("hunter"))
    }

    @Test func `what names no proxy fails the requests that would use it, and no others`() throws {
        let server = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK"))])
        var configuration = TransportConfiguration.forTests()
        configuration.proxy = .failure(InvalidValue("HTTPS_PROXY", "must be a proxy"))
        let transfers = try Transfers(configuration)
        var direct = HTTPRequest.forTests(server.baseURL)
        direct.isDirect = true
        #expect(try transfers.response(to: direct).status == 200)
        let failure = try #require(throws: TransportFailure.self) { try transfers.start(Self.https) }
        #expect(failure.kind == .proxy(.misconfigured))
        #expect(failure.message == "HTTPS_PROXY must be a proxy.")
        #expect(failure.repetition == .never)
        #expect(!KMSError(failure).isRetryable)
        #expect(KMSError(failure).code == .serviceUnavailable)
    }

    @Test(arguments: [
        "proxy.example.com:8080", "http://u:p@h:1", "https://h", "socks5h://127.0.0.1:9050/", "http://[::1]:3128",
    ])
    func `a proxy is read, and never printed`(url: String) throws {
        let proxy = try ProxyConfiguration(url: url)
        #expect(proxy.url.hasSuffix(url))
        var dumped = ""
        dump(proxy, to: &dumped)
        for text in ["\(proxy)", String(reflecting: proxy), dumped, "\([proxy])"] {
            #expect(!text.contains("://"))
        }
    }
}
