import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

let hasRedis = isExecutable(RedisServer.Kind.redis.program)

/// A connection to an engine, driven on the test's own thread.
final class EngineFixture {
    let loop: DrivenLoop
    let multi: CurlMulti
    private(set) var connection: EngineConnection!
    private(set) var events: [EngineConnection.Event] = []

    /// - Parameter connections: as many as transfers may have beside it.
    init(
        _ configuration: SharedStateConfiguration, clock: any TimeSource = SystemClock(), connections: Int = 32
    ) throws {
        loop = try DrivenLoop()
        var transport = TransportConfiguration.forTests(connections: connections)
        transport.maximumStreams = 1
        multi = try CurlMulti(transport, environment: CurlEnvironment.ready(), loop: loop.loop, clock: clock)
        connection = EngineConnection(
            configuration, multi: multi, loop: loop.loop, clock: clock, random: { 0.5 }
        ) { [unowned self] in
            events.append($0)
        }
    }

    convenience init(_ url: String, timeout: Duration = .seconds(10)) throws {
        try self.init(SharedStateConfiguration(address: EngineAddress(url), commandTimeout: timeout))
    }

    deinit {
        connection.close()
        multi.close()
    }

    /// Opens the connection, and waits for what comes of it.
    ///
    /// - Returns: nil if it is connected.
    func open(isAwaited: Bool = true) -> EngineLoss? {
        connection.open(isAwaited: isAwaited)
        return next()
    }

    /// Waits for the next event.
    ///
    /// - Returns: nil for `connected`.
    func next() -> EngineLoss? {
        loop.run { [unowned self] in !events.isEmpty }
        switch events.removeFirst() {
        case .connected: return nil
        case .lost(let loss): return loss
        }
    }

    /// Sends commands in one turn, and waits for the replies or the loss.
    ///
    /// - Returns: nil if the connection is lost. `next` tells why.
    func replies(to commands: [EngineCommand]) -> [EngineReply]? {
        var replies: [EngineReply] = []
        for command in commands { connection.send(command) { replies.append($0) } }
        loop.run { [unowned self] in replies.count == commands.count || !events.isEmpty }
        return replies.count == commands.count ? replies : nil
    }

    func reply(to command: EngineCommand) -> EngineReply? { replies(to: [command])?.first }
}
