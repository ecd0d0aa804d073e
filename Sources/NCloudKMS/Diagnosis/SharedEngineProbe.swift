import KMSPlatform

/// Checks the engine through which processes share their state, one thing at a time, for people who want to know what
/// fails. Every method blocks.
package final class SharedEngineProbe {
    /// Why a check failed.
    package struct Failure: Error, CustomStringConvertible {
        /// A clause that says what to do. It holds no secret.
        package let description: String
    }

    /// What answers, and how fast.
    package struct Contact: Sendable {
        /// Its kind and version: `redis 7.0.15`; nil if it does not say.
        package let server: String?
        /// Whether it is a member of a cluster; nil if it does not say.
        package let isCluster: Bool?
        /// For the name, TCP, TLS and the login together; without a login, for the first answer instead.
        package let opening: Duration
        /// The median of several commands.
        package let roundTrip: Duration
        /// The engine's clock minus this machine's; nil if the user may not ask for the time.
        package let clockDifference: Duration?
    }

    /// How many commands are timed.
    private static let timedCommands = 15

    package let configuration: SharedStateConfiguration
    private let client: KMSClientConfiguration
    private let loop: EventLoop
    private let multi: CurlMulti
    private let clock: any TimeSource
    private var connection: EngineConnection?
    private var event: EngineConnection.Event?

    /// Nil if the client shares nothing.
    ///
    /// - Throws: `KMSError` if libcurl can't be used.
    package init?(_ client: KMSClientConfiguration, clock: any TimeSource = SystemClock()) throws(KMSError) {
        guard let shared = client.shared else { return nil }
        configuration = shared
        self.client = client
        self.clock = clock
        do {
            loop = try EventLoop()
            multi = try CurlMulti(
                client.transport, environment: try CurlEnvironment.ready(), loop: loop, clock: clock)
        } catch let failure as TransportFailure {
            throw KMSError(failure)
        } catch {
            throw KMSError(.serviceUnavailable, "\(error)")
        }
    }

    deinit {
        // Otherwise the loop and its sources retain each other.
        connection?.close()
        multi.close()
    }

    /// The engine's host; nil for a Unix socket.
    package var host: String? {
        if case .host(let host, _, _, _) = configuration.address.place { host } else { nil }
    }

    /// The addresses of the engine's host, as text.
    package func addresses() throws(LookupFailure) -> [String] { try host.map(HostLookup.addresses) ?? [] }

    // MARK: The connection

    /// Connects and logs in, and stays connected.
    package func contact() throws(Failure) -> Contact {
        // An engine that refuses TIME has answered, and `missingRights` says what its user may not do.
        let connection = EngineConnection(
            configuration, multi: multi, loop: loop, clock: clock, needsTime: false, random: { .random(in: 0..<1) }
        ) { [unowned self] in
            event = $0
            loop.stop()
        }
        self.connection = connection
        let start = clock.now
        connection.open(isAwaited: true)
        try wait { event != nil }
        if case .connected = event { event = nil }
        let opening = clock.now - start
        var samples: [(roundTrip: Duration, difference: Duration?)] = []
        for _ in 0..<Self.timedCommands { samples.append(try sample()) }
        samples.sort { $0.roundTrip < $1.roundTrip }
        let hello = Self.hello(try replies(to: [EngineCommand("HELLO")])[0])
        return Contact(
            server: hello["server"].map { server in hello["version"].map { "\(server) \($0)" } ?? server },
            isCluster: hello["mode"].map { $0 == "cluster" }, opening: opening,
            roundTrip: samples[samples.count / 2].roundTrip, clockDifference: samples[0].difference)
    }

    private func sample() throws(Failure) -> (roundTrip: Duration, difference: Duration?) {
        let (start, wallStart) = (clock.now, clock.wallClockMilliseconds)
        let reply = try replies(to: [EngineCommand("TIME")])[0]
        let roundTrip = clock.now - start
        return (roundTrip, reply.time.map { .microseconds($0 - wallStart * 1_000) - roundTrip / 2 })
    }

    /// The members of the reply to `HELLO`, which every user may send, that are texts. Empty if the engine knows no `HELLO`.
    private static func hello(_ reply: EngineReply) -> [String: String] {
        guard case .array(let parts) = reply else { return [:] }
        var members: [String: String] = [:]
        for index in stride(from: 0, to: parts.count - 1, by: 2) {
            guard case .bytes(let name) = parts[index], case .bytes(let value) = parts[index + 1] else { continue }
            members[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self).excerpt
        }
        return members
    }

    // MARK: What it can do

    /// Tries every command that the client needs, then the scripts. Only after `contact`.
    ///
    /// - Returns: the rights that the user lacks, in the words of the engine's access list; empty if all works.
    package func missingRights() throws(Failure) -> [String] {
        let rights = EngineRights(
            keys: configuration.keys, prefix: configuration.prefix, id: Flight.randomMarker())
        let (missing, failure) = rights.verdict(on: try replies(to: rights.trials.map(\.command)))
        if let failure { throw Failure(description: failure.loss.message) }
        guard missing.isEmpty else { return missing }
        let scripts = rights.scripts(ratePerKey: client.ratePerKey)
        let replies = try replies(to: scripts.map(\.command))
        _ = try self.replies(to: rights.removal)
        for (script, reply) in zip(scripts, replies) where !script.isRight(reply) {
            if case .error(let error) = reply { throw Failure(description: error.loss.message) }
            throw Failure(description: EngineLoss.unknownReply.message)
        }
        return []
    }

    /// What it does when its memory is full: `noeviction`; nil if the user may not ask. Only after `contact`.
    package func memoryPolicy() throws(Failure) -> String? {
        let name = "maxmemory-policy"
        let replies = try replies(to: [EngineCommand("CONFIG", "GET", name), EngineCommand("INFO", "memory")])
        if case .array(let parts) = replies[0], parts.count == 2, case .bytes(let policy) = parts[1] {
            return String(decoding: policy, as: UTF8.self).excerpt
        }
        guard case .bytes(let text) = replies[1] else { return nil }
        let prefix = "maxmemory_policy:"
        let line = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline).first {
            $0.hasPrefix(prefix)
        }
        return line.map { String($0.dropFirst(prefix.count)).excerpt }
    }

    /// Names in the engine.
    package struct Names: Sendable {
        package let budget: String
        /// Nil without the secret that names depend on.
        package let entry: String?
        package let marker: String?
    }

    /// The names of a key in the engine.
    ///
    /// - Parameter credentials: the client's; they matter unless there is a MAC file.
    package func names(of request: PublicKeyRequest, _ credentials: Credentials?) throws(KMSError) -> Names {
        let baseURL = client.endpoint.description
        let budget = SharedBudgets.name(of: request.keyTag, prefix: configuration.prefix, baseURL: baseURL)
        guard let secret = configuration.macSecret ?? credentials?.secret,
            let name = try SharedSeal(secret: secret, baseURL: baseURL).name(of: request)
        else { return Names(budget: budget, entry: nil, marker: nil) }
        let names = SharedKeyNames(prefix: configuration.prefix, name)
        return Names(budget: budget, entry: names.entry, marker: names.marker)
    }

    // MARK: The loop

    private func replies(to commands: [EngineCommand]) throws(Failure) -> [EngineReply] {
        var replies: [EngineReply] = []
        for command in commands {
            connection?.send(command) { [loop] in
                replies.append($0)
                loop.stop()
            }
        }
        try wait { replies.count == commands.count }
        return replies
    }

    /// Runs the loop until something has happened.
    ///
    /// - Throws: if the connection is lost.
    private func wait(_ hasHappened: () -> Bool) throws(Failure) {
        while true {
            if case .lost(let loss) = event { throw Failure(description: loss.message) }
            if hasHappened() { return }
            loop.run()
        }
    }
}
