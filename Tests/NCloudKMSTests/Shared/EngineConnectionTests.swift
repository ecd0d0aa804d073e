import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite(.enabled(if: hasRedis, "redis-server is not installed")) struct EngineConnectionTests {
    @Test func `commands of one turn are answered in their order`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))
        let commands = (0..<1_000).map { EngineCommand("ECHO", "\($0)") }
        #expect(engine.replies(to: commands) == (0..<1_000).map { .bytes(Array("\($0)".utf8)) })
    }

    @Test func `a script that the engine does not know is sent once`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        let script = EngineScript(source: Array("return {KEYS[1], ARGV[1], 7, false}".utf8))
        let command = EngineCommand.script(script, keys: ["name"], arguments: [[0, 13, 10, 255]])
        let reply = EngineReply.array([.bytes(Array("name".utf8)), .bytes([0, 13, 10, 255]), .integer(7), .null])
        // All three go out before the engine has the script.
        #expect(engine.replies(to: [command, command, command]) == [reply, reply, reply])
        #expect(engine.reply(to: command) == reply)
        try server.command("SCRIPT", "FLUSH")
        #expect(engine.reply(to: command) == reply)
        let statistics = try server.command("INFO", "commandstats")
        #expect(statistics.contains("cmdstat_evalsha:calls=5,"))
        #expect(statistics.contains("cmdstat_eval:calls=4,"))
    }

    @Test func `commands and replies of any size get through`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        try checkLargeTransfers(engine)
    }

    // MARK: Login

    private func fixture(
        _ server: RedisServer, user: String = "app", password: SharedStateConfiguration.Password,
        clock: any TimeSource = SystemClock()
    ) throws -> EngineFixture {
        try EngineFixture(
            SharedStateConfiguration(
                address: EngineAddress(server.url), user: user, password: password, commandTimeout: .seconds(10)),
            clock: clock)
    }

    @Test func `a user logs in with the password, from a text or a file`() throws {
        let server = try RedisServer()
        try server.command("ACL", "SETUSER", "app", "on", ">one", "~*", "+@all")
        try server.command("ACL", "SETUSER", "open", "on", "nopass", "~*", "+@all")
        let directory = try TemporaryDirectory()
        for (index, text) in ["one", "one\n", "one\r\n"].enumerated() {
            try directory.write(text, to: "\(index)")
            let engine = try fixture(server, password: .file(path: directory.path("\(index)")))
            #expect(engine.open() == nil)
            #expect(engine.reply(to: EngineCommand("ACL", "WHOAMI")) == .bytes(Array("app".utf8)))
        }
        let engine = try fixture(server, password: .text(SecretBytes("one")))
        #expect(engine.open() == nil)
        let withoutPassword = try fixture(server, user: "open", password: .none)
        #expect(withoutPassword.open() == nil)
        #expect(withoutPassword.reply(to: EngineCommand("ACL", "WHOAMI")) == .bytes(Array("open".utf8)))
    }

    @Test func `a password that was refused is read again`() throws {
        let server = try RedisServer()
        try server.command("ACL", "SETUSER", "app", "on", ">one", "~*", "+@all")
        let directory = try TemporaryDirectory()
        try directory.write("two\n", to: "password")
        let engine = try fixture(server, password: .file(path: directory.path("password")))
        let loss = try #require(engine.open())
        #expect(loss.kind == .credentials)
        let reason = "refuses the user app or the password; correct user or password"
        #expect(loss.message.contains(reason), "\(loss.message)")
        #expect(!loss.message.contains("two"))
        #expect(engine.open() == loss)
        // Either side may change.
        try server.command("ACL", "SETUSER", "app", ">two")
        #expect(engine.open() == nil)
        try server.command("ACL", "SETUSER", "app", "resetpass", ">three")
        #expect(try fixture(server, password: .file(path: directory.path("password"))).open() == loss)
        try directory.write("three\n", to: "password")
        #expect(try fixture(server, password: .file(path: directory.path("password"))).open() == nil)
    }

    @Test func `an engine that wants a password says so`() throws {
        let server = try RedisServer(["--requirepass", "one"])
        let engine = try EngineFixture(server.url)
        let loss = try #require(engine.open())
        #expect(loss.kind == .credentials)
        #expect(loss.message == "the engine requires a password; give it with password")
        // There is still none.
        #expect(engine.open() == loss)
        let withPassword = try fixture(server, user: "default", password: .text(SecretBytes("one")))
        #expect(withPassword.open() == nil)
    }

    @Test func `a file without a password is an error that names it`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("\n", to: "empty")
        for (name, text) in [("empty", "is empty"), ("missing", "No such file"), (".", "is a directory")] {
            let engine = try EngineFixture(
                SharedStateConfiguration(
                    address: EngineAddress("unix:///nowhere"), password: .file(path: directory.path(name))))
            let loss = try #require(engine.open())
            #expect(loss.kind == .credentials)
            #expect(loss.message.contains(directory.path(name)) && loss.message.contains(text), "\(loss.message)")
        }
    }

    // MARK: Rights and states of the engine

    private static let writing = EngineCommand.script(
        EngineScript(source: Array("return redis.call('HSET', KEYS[1], 'a', 'b')".utf8)), keys: ["name"],
        arguments: [])

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Of the engine, before the script.
        var setup: [[String]]
        var code: String
        var kind: EngineLoss.Kind
        var message: String
    }

    @Test(arguments: [
        Refusal(
            testDescription: "no hset", setup: [["ACL", "SETUSER", "default", "-hset"]], code: "ERR", kind: .refused,
            message: "give its user the commands of the scripts"),
        Refusal(
            testDescription: "no evalsha", setup: [["ACL", "SETUSER", "default", "-evalsha"]], code: "NOPERM",
            kind: .refused, message: "'evalsha' command\"; give its user this right"),
        Refusal(
            testDescription: "no such name", setup: [["ACL", "SETUSER", "default", "resetkeys", "~other:*"]],
            code: "NOPERM", kind: .refused, message: "give its user this right"),
        Refusal(
            testDescription: "replica", setup: [["REPLICAOF", "127.0.0.1", "1"]], code: "READONLY",
            kind: .unreachable, message: "READONLY"),
        Refusal(
            testDescription: "replica without its primary",
            setup: [["CONFIG", "SET", "replica-serve-stale-data", "no"], ["REPLICAOF", "127.0.0.1", "1"]],
            code: "MASTERDOWN", kind: .unreachable, message: "MASTERDOWN"),
        Refusal(
            testDescription: "full", setup: [["CONFIG", "SET", "maxmemory", "1"]], code: "OOM", kind: .unreachable,
            message: "raise the engine's maxmemory"),
    ])
    func `an engine that can't run a script says why`(refusal: Refusal) throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        #expect(engine.reply(to: Self.writing) == .integer(1))
        for command in refusal.setup {
            #expect(try server.command(command) == "OK")
        }
        guard case .error(let error) = engine.reply(to: Self.writing) else {
            Issue.record("no error")
            return
        }
        #expect(error.code == refusal.code)
        #expect(error.loss.kind == refusal.kind)
        #expect(error.loss.message.contains(refusal.message), "\(error.loss.message)")
    }

    @Test func `an engine that has too many clients says so`() throws {
        let server = try RedisServer(["--maxclients", "1"])
        let first = try EngineFixture(server.url)
        #expect(first.open() == nil)
        #expect(first.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))
        let second = try EngineFixture(server.url)
        let loss = try #require(second.open() ?? second.next())
        #expect(loss.kind == .unreachable)
        // It closes the connection at once, and what it said is lost if a command arrives afterwards.
        #expect(["clients", "closed", "reset"].contains { loss.message.contains($0) }, "\(loss.message)")
    }

    // MARK: Loss

    @Test func `an engine that stops is lost, and its late reply belongs to nobody`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url, timeout: .seconds(1))
        #expect(engine.open() == nil)
        server.pause()
        #expect(engine.reply(to: EngineCommand("ECHO", "one")) == nil)
        let loss = try #require(engine.next())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains("1000 ms"), "\(loss.message)")
        // The system accepts for it, which is no connection yet.
        #expect(engine.open()?.kind == .unreachable)
        server.resume()
        #expect(engine.open() == nil)
        #expect(engine.reply(to: EngineCommand("ECHO", "three")) == .bytes(Array("three".utf8)))
    }

    @Test func `a reply that came while this process did not look is in time`() throws {
        let server = try RedisServer()
        let clock = ManualClock()
        let engine = try EngineFixture(
            SharedStateConfiguration(address: EngineAddress(server.url)), clock: clock)
        #expect(engine.open() == nil)
        var reply: EngineReply?
        engine.connection.send(EngineCommand("PING")) { reply = $0 }
        _ = engine.connection.run()
        // When the engine answers the second of these, it has answered the first.
        for _ in 0..<2 { try server.command("PING") }
        clock.advance(by: .seconds(5))
        engine.loop.run { reply != nil || !engine.events.isEmpty }
        #expect(reply == .status(Array("PONG".utf8)))
        #expect(engine.events.isEmpty)
    }

    @Test func `an engine that is killed is lost at once, and found again when it is back`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        #expect(engine.reply(to: Self.writing) == .integer(1))
        server.kill()
        let loss = try #require(engine.next())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains("closed the connection"), "\(loss.message)")
        let refused = try #require(engine.open())
        #expect(refused.message.contains("Connection refused"), "\(refused.message)")
        try server.restart()
        #expect(engine.open() == nil)
        // It is empty, and does not know the script.
        #expect(engine.reply(to: Self.writing) == .integer(1))
    }

    // MARK: Beside transfers

    @Test func `a stream takes no connection from the transfers, nor they from it`() throws {
        let server = try RedisServer()
        let responder = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK")), .again])
        defer { responder.stop() }
        let engine = try EngineFixture(
            SharedStateConfiguration(address: EngineAddress(server.url), commandTimeout: .seconds(10)), connections: 1)
        #expect(engine.open() == nil)
        #expect(engine.multi.freeConnections == 1)
        let request = {
            var outcome: Result<HTTPResponse, TransportFailure>?
            _ = try engine.multi.start(.forTests(responder.baseURL)) { outcome = $0 }
            engine.loop.run { outcome != nil }
            return try #require(try outcome?.get())
        }
        #expect(try request().reusedConnection == false)
        // libcurl looks for dead connections once a second, and takes one for dead that has something to read: so has
        // this one as long as the loop does not run.
        let clock = SystemClock()
        let start = clock.now
        while clock.now - start < .milliseconds(1_100) {
            var reply: EngineReply?
            engine.connection.send(EngineCommand("PING")) { reply = $0 }
            _ = engine.connection.run()
            _ = try server.command("PING")
            #expect(try request().reusedConnection)
            engine.loop.run { reply != nil || !engine.events.isEmpty }
            #expect(reply == .status(Array("PONG".utf8)))
        }
        let other = try RawResponder([.readRequest, .send(RawResponder.answer("200 OK")), .again])
        defer { other.stop() }
        #expect(engine.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))
        #expect(engine.events.isEmpty)
    }

    @Test func `closing the transfers' side closes the stream`() throws {
        let server = try RedisServer()
        let engine = try EngineFixture(server.url)
        #expect(engine.open() == nil)
        engine.multi.close()
        engine.connection.close()
        let observer = try EngineFixture(server.url)
        #expect(observer.open() == nil)
        // The engine may hear of the end later than of the observer.
        var clients = 2
        for _ in 0..<10_000 where clients > 1 {
            guard case .bytes(let list) = observer.reply(to: EngineCommand("CLIENT", "LIST")) else {
                Issue.record("no list")
                return
            }
            clients = list.split(separator: UInt8(ascii: "\n")).count
        }
        #expect(clients == 1)
    }
}

/// Sends more than the system takes at once, and gets replies of the largest size.
func checkLargeTransfers(_ engine: EngineFixture) throws {
    let words = (0..<400).map { "\($0) " + String(repeating: "x", count: 10_000) }
    #expect(engine.replies(to: words.map { EngineCommand("ECHO", $0) }) == words.map { .bytes(Array($0.utf8)) })
    let largest = String(repeating: "y", count: 65_524)
    #expect(engine.reply(to: EngineCommand("ECHO", largest)) == .bytes(Array(largest.utf8)))
    // Again and again, as what remains of one TLS record must not wait for the next.
    for count in [1, 16_383, 16_384, 16_385, 32_768, 50_000] {
        let word = String(repeating: "z", count: count)
        #expect(engine.reply(to: EngineCommand("ECHO", word)) == .bytes(Array(word.utf8)))
    }
}
