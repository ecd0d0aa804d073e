import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// One of our scripts inside a real engine, with the time that the test says.
final class ScriptFixture {
    let server: RedisServer
    /// What the script takes for the engine's clock, in µs.
    var now = 1_700_000_000_000_000
    private let engine: EngineFixture
    private let source: [UInt8]

    init(_ script: EngineScript, _ kind: RedisServer.Kind = .redis) throws {
        server = try RedisServer(kind: kind)
        engine = try EngineFixture(server.url)
        source = script.source
        #expect(engine.open() == nil)
    }

    /// Runs the script at `now`.
    func run(keys: [String], _ arguments: [[UInt8]]) throws -> EngineReply {
        let script = EngineScript(source: Array(prelude.utf8) + source)
        return try #require(engine.reply(to: .script(script, keys: keys, arguments: arguments)))
    }

    /// Replaces the engine's clock.
    private var prelude: String {
        """
        local real = redis
        local redis = setmetatable({
          call = function(name, ...)
            if name == 'TIME' then return { '\(now / 1_000_000)', '\(now % 1_000_000)' } end
            return real.call(name, ...)
          end
        }, { __index = real })

        """
    }
}

extension EngineReply {
    var text: String? {
        switch self {
        case .bytes(let bytes), .status(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    var integer: Int? { if case .integer(let value) = self { Int(value) } else { nil } }

    var elements: [EngineReply]? { if case .array(let elements) = self { elements } else { nil } }
}
