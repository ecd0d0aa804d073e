import KMSJSON
import KMSPlatform
import Testing

@testable import KMSJSONRPC

/// A limit stops the reading; it must go on when the limit is left, whoever leaves it.
@Suite(.timeLimit(.minutes(5))) struct StallTests {
    @Test func `more answers than may wait go to a file that takes them all at once`() throws {
        var template = Array("/tmp/stall.XXXXXX\0".utf8CString.dropLast())
        let file = mkstemp(&template)
        try #require(file >= 0)
        unlink(template)
        defer { close(file) }
        let (input, client) = try Descriptors.pipe()
        defer { close(input) }
        let connection = Connection(
            Connection.Configuration(
                input: input, output: file, framing: LineFraming(maximumMessageBytes: 1 << 20),
                maximumBatchCount: 1, maximumInFlight: 1_024),
            on: try EventLoop(), methods: [Large()])
        // 30 answers of 1 MiB in one write, so in one read.
        let lines = (0..<30).map { request("\($0)", "large", "[1048576]") + "\n" }.joined()
        #expect(lines.withCString { write(client, $0, strlen($0)) } == lines.utf8.count)
        close(client)
        let ending: ConnectionEnding = connection.run()
        #expect(ending == .endOfInput)
        #expect(connection.counters.answered == 30)
        #expect(lseek(file, 0, SEEK_END) > 30 << 20)
    }

    @Test(arguments: [1, 2, 3])
    func `a call that ends between the look at the limit and the sleep is not overlooked`(limit: Int) throws {
        let session = try Session { $0.maximumInFlight = limit }
        let count = 3_000
        let answers = try session.answers(to: (0..<count).map { request("\($0)", "thread") + "\n" }.joined())
        #expect(answers.count == count)
    }

    @Test func `requests in flight are bounded in bytes, too`() throws {
        let session = try Session()
        try session.serve()
        // 10 MiB of parameters: what is beyond 8 is not begun before something ends.
        let params = "[\"" + String(repeating: "x", count: 1_000_000) + "\"]"
        try Thread.start(name: "sender") {
            for index in 0..<10 { try? session.send(lines: request("\(index)", "held", params)) }
            session.endInput()
        }
        try session.held.started.wait(count: 9)
        #expect(try session.counters.inFlight == 9)
        session.held.release(0)
        try session.held.started.wait()
        for index in 1..<10 { session.held.release(index) }
        #expect(try session.receiveLines().count == 10)
        try session.ended.wait()
    }
}
