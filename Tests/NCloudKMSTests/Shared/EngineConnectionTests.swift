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
}
