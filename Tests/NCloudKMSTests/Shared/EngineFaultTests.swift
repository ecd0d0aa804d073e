import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// Engines that are not there, and servers that answer nonsense.
@Suite struct EngineFaultTests {
    /// The answer to `TIME`, with which every connection without a login begins.
    private static let time = "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"

    /// An engine that answers the first command, or the login, with these bytes.
    private func fixture(
        answering bytes: [UInt8], then end: @escaping @Sendable (RawConnection) -> Void = { $0.waitUntilPeerCloses() },
        timeout: Duration = .seconds(10), password: SharedStateConfiguration.Password = .none
    ) throws -> (EngineFixture, RawResponder) {
        let greets = if case .none = password { true } else { false }
        let responder = try RawResponder { connection in
            if greets {
                try connection.readSome()
                try connection.send(Self.time)
            }
            try connection.readSome()
            try connection.send(bytes)
            end(connection)
        }
        let engine = try EngineFixture(
            SharedStateConfiguration(
                address: EngineAddress("redis://127.0.0.1:\(responder.port)"), password: password,
                commandTimeout: timeout))
        return (engine, responder)
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var kind: EngineLoss.Kind
        var message: String

        init(_ name: String, _ text: String, _ kind: EngineLoss.Kind, _ message: String) {
            testDescription = name
            bytes = Array(text.utf8)
            self.kind = kind
            self.message = message
        }
    }

    @Test(arguments: [
        Answer("HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", .refused, "neither Redis nor Valkey"),
        Answer("huge array", "*2147483647\r\n", .refused, "neither Redis nor Valkey"),
        Answer(
            "1 MiB", "$1048576\r\n" + String(repeating: "x", count: 1 << 20) + "\r\n", .unreachable,
            "more than 64 KiB"),
        Answer("endless line", "+" + String(repeating: "x", count: 1 << 20), .unreachable, "more than 64 KiB"),
    ])
    func `nonsense ends the connection`(answer: Answer) throws {
        let (engine, responder) = try fixture(answering: answer.bytes)
        defer { responder.stop() }
        #expect(engine.open() == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == nil)
        let loss = try #require(engine.next())
        #expect(loss.kind == answer.kind)
        #expect(loss.message.contains(answer.message), "\(loss.message)")
    }

    @Test(arguments: [
        Answer("HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", .refused, "neither Redis nor Valkey"),
        Answer("another reply", "+PONG\r\n", .refused, "answers TIME with nonsense"),
        Answer("no number", "*2\r\n$1\r\nx\r\n$1\r\n0\r\n", .refused, "answers TIME with nonsense"),
        Answer("an error", "-ERR unknown command 'TIME'\r\n", .refused, "unknown command 'TIME'"),
        Answer(
            "no right", "-NOPERM no permissions to run the 'time' command\r\n", .refused, "give its user this right"),
        Answer("no password", "-NOAUTH Authentication required.\r\n", .credentials, "give it with password"),
        Answer("loading", "-LOADING Redis is loading\r\n", .unreachable, "LOADING"),
        Answer("too much", "+" + String(repeating: "x", count: 1 << 20), .unreachable, "more than 64 KiB"),
    ])
    func `who does not answer TIME as an engine does never counts as connected`(answer: Answer) throws {
        let responder = try RawResponder { connection in
            #expect(try connection.readSome() == Array("*1\r\n$4\r\nTIME\r\n".utf8))
            try connection.send(answer.bytes)
            connection.waitUntilPeerCloses()
        }
        defer { responder.stop() }
        let engine = try EngineFixture("redis://127.0.0.1:\(responder.port)")
        let loss = try #require(engine.open())
        #expect(loss.kind == answer.kind)
        #expect(loss.message.contains(answer.message), "\(loss.message)")
        #expect(engine.events.isEmpty)
    }

    /// The first answers of a connection that nobody waits for have no more time than later ones: it was lost before, and
    /// an engine that is too slow must not count as one that works again.
    @Test func `half a reply is a time-out`() throws {
        let (engine, responder) = try fixture(answering: Array("$5\r\nab".utf8), timeout: .milliseconds(200))
        defer { responder.stop() }
        #expect(engine.open(isAwaited: false) == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == nil)
        let loss = try #require(engine.next())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains("took longer than 200 ms to answer a command"), "\(loss.message)")
    }

    @Test func `the first answers of a connection that is awaited have the time for connecting`() throws {
        let (engine, responder) = try fixture(answering: Array("$5\r\nab".utf8), timeout: .milliseconds(1))
        defer { responder.stop() }
        let start = SystemClock().now
        #expect(engine.open() == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == nil)
        #expect(SystemClock().now - start >= EngineConnection.longestOpening)
        let loss = try #require(engine.next())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains("ms to answer a command"), "\(loss.message)")
    }

    @Test func `an engine that hangs up is lost`() throws {
        let ends: [(@Sendable (RawConnection) -> Void, String)] = [
            ({ $0.close() }, "closed the connection"), ({ $0.reset() }, "reset the connection"),
        ]
        for (end, text) in ends {
            for bytes in ["", "$5\r\nab"] {
                let (engine, responder) = try fixture(answering: Array(bytes.utf8), then: end)
                defer { responder.stop() }
                #expect(engine.open() == nil)
                #expect(engine.reply(to: EngineCommand("PING")) == nil)
                let loss = try #require(engine.next())
                #expect(loss.kind == .unreachable)
                #expect(loss.message.contains(text), "\(loss.message)")
            }
        }
    }

    @Test func `a reply that nobody asked for ends the connection`() throws {
        let answers: [(String, EngineLoss.Kind, String)] = [
            ("+PONG\r\n+PONG\r\n", .refused, "without having been asked"),
            ("+PONG\r\n-LOADING Redis is loading\r\n", .unreachable, "LOADING"),
        ]
        for (answer, kind, text) in answers {
            let (engine, responder) = try fixture(answering: Array(answer.utf8))
            defer { responder.stop() }
            #expect(engine.open() == nil)
            #expect(engine.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))
            let loss = try #require(engine.next())
            #expect(loss.kind == kind)
            #expect(loss.message.contains(text), "\(loss.message)")
        }
    }

    @Test func `an error for every command is told to each, and the connection stays`() throws {
        let (engine, responder) = try fixture(answering: Array("-ERR no\r\n-OOM no\r\n".utf8))
        defer { responder.stop() }
        #expect(engine.open() == nil)
        let errors = ["ERR no", "OOM no"].map { EngineReply.error(EngineError($0.utf8)) }
        #expect(engine.replies(to: [EngineCommand("PING"), EngineCommand("PING")]) == errors)
        #expect(engine.events.isEmpty)
    }

    @Test func `a login that is answered with nonsense fails, and no answer to it is repeated`() throws {
        let answers: [(String, EngineLoss.Kind, String)] = [
            ("-ERR unknown command 'AUTH', with args beginning with: 'default' 'hunter2'\r\n", .credentials, "Redis 6"),
            ("-hunter2\r\n", .credentials, "Redis 6"), (":1\r\n", .refused, "nonsense"),
            ("-LOADING hunter2\r\n", .unreachable, "LOADING"),
            ("-ERR max number of clients reached\r\n", .unreachable, "maxclients"),
            ("+OK\r\n+OK\r\n", .refused, "without having been asked"),
        ]
        for (answer, kind, text) in answers {
            let (engine, responder) = try fixture(
                answering: Array(answer.utf8), password: .text(SecretBytes("hunter2")))
            defer { responder.stop() }
            let loss = try #require(engine.open() ?? engine.next())
            #expect(loss.kind == kind)
            #expect(loss.message.contains(text) && !loss.message.contains("hunter2"), "\(loss.message)")
        }
    }

    @Test func `commands of one turn leave together`() throws {
        let received = Lock<[[UInt8]]>([])
        let gate = Gate()
        let responder = try RawResponder { connection in
            try connection.readSome()
            try connection.send(Self.time)
            gate.wait()
            let bytes = try connection.readSome()
            received.withLock { $0.append(bytes) }
            try connection.send("+1\r\n+2\r\n+3\r\n")
            connection.waitUntilPeerCloses()
        }
        defer { responder.stop() }
        let engine = try EngineFixture("redis://127.0.0.1:\(responder.port)")
        #expect(engine.open() == nil)
        gate.open()
        let replies = engine.replies(to: ["a", "b", "c"].map { EngineCommand("ECHO", $0) })
        #expect(replies == ["1", "2", "3"].map { .status(Array($0.utf8)) })
        let sent = ["a", "b", "c"].map { "*2\r\n$4\r\nECHO\r\n$1\r\n\($0)\r\n" }.joined()
        #expect(received.withLock { $0 } == [Array(sent.utf8)])
    }

    @Test func `closing tells nothing, and ends the connection`() throws {
        let ended = Gate()
        let responder = try RawResponder { connection in
            try connection.readSome()
            try connection.send(Self.time)
            connection.waitUntilPeerCloses()
            ended.open()
        }
        defer { responder.stop() }
        let clock = ManualClock()
        let engine = try EngineFixture(
            SharedStateConfiguration(address: EngineAddress("redis://127.0.0.1:\(responder.port)")), clock: clock)
        #expect(engine.open() == nil)
        var replies = 0
        engine.connection.send(EngineCommand("PING")) { _ in replies += 1 }
        engine.connection.close()
        engine.connection.close()
        ended.wait()
        clock.advance(by: .seconds(1))
        var turns = 0
        engine.loop.run {
            turns += 1
            return turns > 3
        }
        #expect(replies == 0 && engine.events.isEmpty)
        // As if it had never been open.
        #expect(engine.open() == nil)
    }

    @Test func `a completion that closes the connection is the last one`() throws {
        let (engine, responder) = try fixture(answering: Array("+1\r\n+2\r\n".utf8))
        defer { responder.stop() }
        #expect(engine.open() == nil)
        var replies: [EngineReply] = []
        for _ in 0..<2 {
            engine.connection.send(EngineCommand("PING")) {
                replies.append($0)
                engine.connection.close()
            }
        }
        var turns = 0
        engine.loop.run {
            if !replies.isEmpty { turns += 1 }
            return turns > 3
        }
        #expect(replies == [.status([UInt8(ascii: "1")])])
        #expect(engine.events.isEmpty)
    }

    @Test func `an address where nobody listens is told at once`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("", to: "file")
        let addresses = [
            // tcpmux: nobody has it.
            ("redis://127.0.0.1:1", "refused the connection"),
            ("unix://\(directory.path("missing.sock"))", "No such file"),
            ("unix://\(directory.path("file"))", "Connection refused"),
            ("rediss://nowhere.invalid", "nowhere.invalid:6379 has no address"),
        ]
        for (address, text) in addresses {
            let engine = try EngineFixture(address)
            for _ in 0..<2 {
                let loss = try #require(engine.open())
                #expect(loss.kind == .unreachable)
                #expect(loss.message.contains(text), "\(loss.message)")
                #expect(!loss.message.hasSuffix("."))
            }
        }
    }

    @Test func `an engine whose backlog is full is not lost`() throws {
        let server = try RedisServer(["--tcp-backlog", "1"])
        server.pause()
        let backlog = try FullBacklog(server.socket)
        let clock = ManualClock()
        let engine = try EngineFixture(SharedStateConfiguration(address: EngineAddress(server.url)), clock: clock)
        engine.connection.open(isAwaited: true)
        var turns = 0
        withExtendedLifetime(backlog) {
            engine.loop.run {
                turns += 1
                clock.advance(by: .milliseconds(20))
                return turns == 20 || !engine.events.isEmpty
            }
        }
        // By now it has tried several times, in vain.
        #expect(engine.events.isEmpty)
        #expect(try FullBacklog(server.socket).count == 0)
        server.resume()
        engine.loop.run {
            // The engine has seconds of real time.
            clock.advance(by: .milliseconds(1))
            return !engine.events.isEmpty
        }
        #expect(engine.next() == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))
    }

    /// - Parameter step: how late the loop is.
    @Test(arguments: [10, 13, 600, 2_000].map(Duration.milliseconds))
    func `an engine whose backlog stays full is lost after a second`(step: Duration) throws {
        let directory = try TemporaryDirectory()
        let socket = try UnacceptingSocket(directory.path("full.sock"))
        let clock = ManualClock()
        let engine = try EngineFixture(
            SharedStateConfiguration(address: EngineAddress("unix://\(directory.path("full.sock"))")), clock: clock)
        for _ in 0..<2 {
            let start = clock.now
            var turns = 0
            engine.connection.open(isAwaited: true)
            withExtendedLifetime(socket) {
                engine.loop.run {
                    turns += 1
                    // It finds out in the first turns.
                    if turns > 5 { clock.advance(by: step) }
                    return !engine.events.isEmpty
                }
            }
            #expect(clock.now - start >= .seconds(1))
            checkFullBacklog(try #require(engine.next()))
        }
    }

    @Test func `an engine whose backlog is full is lost at once if nobody waits for it`() throws {
        let directory = try TemporaryDirectory()
        let socket = try UnacceptingSocket(directory.path("full.sock"))
        let engine = try EngineFixture("unix://\(directory.path("full.sock"))")
        let loss = withExtendedLifetime(socket) { engine.open(isAwaited: false) }
        checkFullBacklog(try #require(loss))
    }

    private func checkFullBacklog(_ loss: EngineLoss) {
        #expect(loss.kind == .unreachable)
        #expect(loss.message.hasPrefix("the backlog of unix:"), "\(loss.message)")
        #expect(loss.message.contains("full.sock is full; see whether"), "\(loss.message)")
    }

    @Test func `connecting has a limit, wherever it hangs`() throws {
        let unanswering = try UnansweringPort()
        let silent = try RawResponder { $0.waitUntilPeerCloses() }
        defer { silent.stop() }
        let cases: [(String, SharedStateConfiguration.Password, String)] = [
            ("redis://127.0.0.1:\(unanswering.number)", .none, "while connecting"),
            ("rediss://127.0.0.1:\(silent.port)", .none, "while setting up TLS"),
            ("redis://127.0.0.1:\(silent.port)", .none, "took longer than 1000 ms to connect and answer"),
            (
                "redis://127.0.0.1:\(silent.port)", .text(SecretBytes("x")),
                "took longer than 1000 ms to connect and answer"
            ),
        ]
        for (address, password, text) in cases {
            let clock = SystemClock()
            let engine = try EngineFixture(
                SharedStateConfiguration(address: EngineAddress(address), password: password))
            let start = clock.now
            let loss = try #require(engine.open())
            #expect(clock.now - start >= .milliseconds(900))
            #expect(loss.kind == .unreachable)
            #expect(loss.message.contains(text), "\(loss.message)")
        }
    }
}
