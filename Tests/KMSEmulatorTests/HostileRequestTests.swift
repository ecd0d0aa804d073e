import KMSEmulator
import KMSPlatform
import Testing

@Suite(.timeLimit(.minutes(5))) struct HostileRequestTests {
    private let emulator: Emulator

    init() throws { emulator = try Emulator(.init(usesTLS: false)) }

    private func expectItStillServes(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200, sourceLocation: sourceLocation)
        emulator.stop()
    }

    @Test func `a body beyond the limit is read, refused, and the connection goes on`() throws {
        let client = try RawClient(emulator)
        for (size, status) in [(64 << 10, 400), (64 << 10 + 1, 413), (1 << 20, 413)] {
            client.send(SignedRequest(body: String(repeating: "x", count: size)).message)
            let response = client.readResponse()
            #expect(response?.status == status)
            #expect(response?.body.contains(status == 413 ? "\"430\"" : "\"100\"") == true)
        }
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200)
        try expectItStillServes()
    }

    @Test func `a body that is announced to be huge is refused unread`() async throws {
        let client = try RawClient(emulator)
        let message = SignedRequest(body: "").message
        client.send(message.replacing("Content-Length: 0", with: "Content-Length: 99999999999"))
        #expect(client.readResponse()?.status == 413)
        #expect(client.readToEnd().end == .closed)
        try expectItStillServes()
    }

    @Test func `a chunked body is read like any other`() throws {
        let client = try RawClient(emulator)
        let message = SignedRequest(body: "").message
            .replacing("Content-Length: 0", with: "Transfer-Encoding: chunked")
        client.send(message + "5\r\n{\"key\r\nc\r\nVersion\": 2}\r\n0\r\n\r\n")
        #expect(client.readResponse()?.status == 422)
        try expectItStillServes()
    }

    /// A message that is wrong, and what is wrong with it.
    enum Malformed: String, CaseIterable {
        case hugeHeader, hugeTarget, tlsHello, emptyLines, noVersion, negativeLength, wrongChunk

        var message: String {
            let post = "POST /kms/v1/keys/x/get-pub-key HTTP/1.1\r\n"
            let filler = String(repeating: "x", count: 100_000)
            return switch self {
            case .hugeHeader: "GET / HTTP/1.1\r\nHost: x\r\nX: \(filler)\r\n\r\n"
            case .hugeTarget: "GET /\(filler) HTTP/1.1\r\nHost: x\r\n\r\n"
            case .tlsHello: "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n"
            case .emptyLines: "\r\n\r\n\r\n\r\n\r\n"
            case .noVersion: "POST\r\n\r\n"
            case .negativeLength: "\(post)Content-Length: -1\r\n\r\n"
            case .wrongChunk: "\(post)Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            }
        }
    }

    @Test(arguments: Malformed.allCases)
    func `what is not valid HTTP is refused or dropped, and does no harm`(malformed: Malformed) throws {
        let client = try RawClient(emulator)
        client.send(malformed.message)
        client.finishSending()
        let (text, _) = client.readToEnd()
        #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 4"), "\(text)")
        try expectItStillServes()
    }

    @Test func `a client that leaves inside its headers or body does no harm`() async throws {
        let message = SignedRequest(body: "{\"keyVersion\":1}").message
        let headCount = message.utf8.count - 16
        let lengths = Array(stride(from: 1, to: message.utf8.count, by: 7))
        for length in lengths {
            let client = try RawClient(emulator)
            client.send(String(decoding: message.utf8.prefix(length), as: UTF8.self))
            client.close()
        }
        try await emulator.waitForState { $0.openedConnections == lengths.count && $0.openConnections == 0 }
        #expect(emulator.state.total == lengths.count { $0 >= headCount })
        #expect(emulator.state.aborted == emulator.state.total)
        try expectItStillServes()
    }

    @Test func `pipelined requests are answered in order`() throws {
        let client = try RawClient(emulator)
        client.send((1...3).map { SignedRequest(body: "{\"keyVersion\":\($0)}").message }.joined())
        #expect((0..<3).map { _ in client.readResponse()?.status } == [200, 422, 200])
        try expectItStillServes()
    }

    @Test func `other methods are refused, HEAD without a body`() throws {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"] {
            let client = try RawClient(emulator)
            client.send(SignedRequest(method: method).message)
            let response = client.readResponse()
            #expect(response?.status == 405, "\(method)")
            #expect(response?.headers["allow"] == "POST", "\(method)")
        }
        let client = try RawClient(emulator)
        client.send(SignedRequest(method: "HEAD", extraHeaders: ["Connection: close"]).message)
        let text = client.readToEnd().text
        #expect(text.hasPrefix("HTTP/1.1 405"))
        #expect(text.hasSuffix("\r\n\r\n"))
        try expectItStillServes()
    }
}
