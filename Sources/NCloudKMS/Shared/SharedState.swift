import KMSPlatform

/// What this process shares with others through an engine: the budget of each key, and the keys.
///
/// Like `FetchMachine`, to which it belongs, it is a value that receives events with their times. `nextRequest` says what
/// to do with the engine, `nextVerdict` what the fetches do. The engine never makes a call fail: what it can't be asked is
/// decided locally. And it is never believed: see `SharedEntry`.
struct SharedState {
    struct Configuration: Sendable {
        var keys: SharedStateConfiguration.Keys
        /// Before every name in the engine.
        var prefix: String
        /// The engine's.
        var url: String
        /// The service's.
        var baseURL: String
        /// Requests per second of all processes together for one key; 0 for no limit.
        var ratePerKey: Int
        /// The cache's.
        var timeToLive: Duration
        /// The secret that authenticates keys; nil: that of the credentials.
        var macSecret: SecretBytes?
        /// Returns a text that no other fetch of any process has.
        var marker: @Sendable () -> String
        /// Returns a number in 0..<1.
        var random: @Sendable () -> Double
    }

    private let url: String
    private let random: @Sendable () -> Double
    private var dialogue = EngineDialogue()
    /// Nil: keys have no limit.
    private var budgets: SharedBudgets?
    private var keys: SharedKeys

    init(_ configuration: Configuration) {
        url = configuration.url
        random = configuration.random
        keys = SharedKeys(configuration)
        if configuration.ratePerKey > 0 {
            budgets = SharedBudgets(
                Rate(perSecond: configuration.ratePerKey), prefix: configuration.prefix,
                baseURL: configuration.baseURL, random: configuration.random)
        }
    }

    // MARK: What to do, and when

    mutating func nextRequest() -> EngineDialogue.Request? { dialogue.nextRequest() }

    mutating func nextVerdict() -> EngineDialogue.Verdict? { dialogue.nextVerdict() }

    func nextDue(now: Instant) -> Instant? {
        earliest(
            earliest(keys.nextDue, dialogue.health.nextDue),
            budgets?.nextDue(isConnected: dialogue.health.isConnected, now: now))
    }

    mutating func due(now: Instant) {
        if dialogue.due(now: now) { degrade(now: now) }
        keys.due(&dialogue, now: now)
        budgets?.due(&dialogue, now: now)
    }

    // MARK: Fetches

    /// See `SharedKeys.lookUp`.
    mutating func lookUp(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ credentials: Credentials, _ lookUp: SharedLookUp, now: Instant
    ) -> Bool {
        keys.lookUp(fetch, request, credentials, lookUp, &dialogue, now: now)
    }

    /// The maximum age that a fetch looks for; nil if it looks for none.
    func limit(of fetch: FetchID) -> Duration? { keys.limit(of: fetch) }

    /// A fetch needs a slot of its key's budget; the verdict follows.
    ///
    /// - Parameter deadline: of its calls.
    mutating func join(_ fetch: FetchID, _ key: KeyTag, deadline: Instant, now: Instant) {
        guard budgets != nil else { return dialogue.append(.admitted(fetch)) }
        budgets?.join(fetch, key, deadline: deadline, &dialogue, now: now)
    }

    /// Another call joined a fetch that has not been sent.
    mutating func joined(_ fetch: FetchID, _ key: KeyTag, deadline: Instant, now: Instant) {
        let waitsForSlot = budgets?.extend(fetch, key, deadline: deadline) ?? false
        let waitsForKey = keys.joined(fetch, deadline: deadline, now: now)
        // The fetch waits for the connection for no more than half of the call's time.
        if waitsForSlot || waitsForKey, !dialogue.health.isConnected {
            _ = dialogue.wanted(now: now, deadline: deadline)
        }
    }

    /// A fetch that waits for a slot does not need it any more.
    mutating func leave(_ fetch: FetchID, _ key: KeyTag) { budgets?.leave(fetch, key) }

    /// When a fetch's turn comes; nil if it is not known yet.
    func turn(of fetch: FetchID, _ key: KeyTag, now: Instant) -> Instant? { budgets?.turn(of: fetch, key, now: now) }

    /// The service throttled a request for a key.
    mutating func throttled(_ key: KeyTag, now: Instant) { budgets?.throttled(key, &dialogue, now: now) }

    /// See `SharedKeys.fetched`.
    mutating func fetched(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ credentials: Credentials, _ key: FetchedKey,
        startedAt: Int64?, age: Duration, now: Instant
    ) {
        keys.fetched(fetch, request, credentials, key, startedAt: startedAt, age: age, &dialogue, now: now)
    }

    /// See `SharedKeys.failed`.
    mutating func failed(
        _ fetch: FetchID, _ request: PublicKeyRequest, _ identity: CredentialIdentity?, _ error: KMSError?, now: Instant
    ) {
        keys.failed(fetch, request, identity, error, &dialogue, now: now)
    }

    // MARK: The engine

    mutating func connected(now: Instant) {
        dialogue.connected(now: now)
        keys.connected(&dialogue, now: now)
        budgets?.connected(&dialogue, now: now)
    }

    /// The connection was lost, or could not be made.
    mutating func lost(_ loss: EngineLoss, now: Instant) {
        let isNews = dialogue.lost(loss, now: now, random: random())
        degrade(now: now)
        if isNews {
            dialogue.log(.engineLost(loss, rate: budgets?.localRate(now: now)))
        }
    }

    private mutating func degrade(now: Instant) {
        keys.degrade(&dialogue)
        budgets?.degrade(&dialogue, now: now)
    }

    /// The engine has answered a question.
    ///
    /// - Parameter wallClock: this machine's time as the service sees it, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Returns: why the engine can't be used any more; nil if it can. Then close the connection, and call `lost`.
    mutating func replied(
        _ id: EngineDialogue.QuestionID, _ reply: EngineReply, now: Instant, wallClock: Int64
    ) -> EngineLoss? {
        guard let subject = dialogue.answered(id, now: now) else { return nil }
        var reply = reply
        if case .error(let error) = reply {
            // A name of another type counts as missing, as it does in the scripts.
            guard error.code == "WRONGTYPE", subject.isPlainLookUp else { return error.loss }
            reply = .null
        }
        do throws(EngineLoss) {
            try take(reply, to: subject, now: now, wallClock: wallClock)
        } catch {
            return error
        }
        dialogue.understood()
        return nil
    }

    /// - Throws: `unknownReply`.
    private mutating func take(
        _ reply: EngineReply, to subject: EngineDialogue.Subject, now: Instant, wallClock: Int64
    ) throws(EngineLoss) {
        switch subject {
        case .none: break
        case .store:
            switch FlightReply(reply)?.kind {
            case .done: keys.stored()
            case .kept: break
            case .entry, .lead, .wait, .alone, nil: throw .unknownReply
            }
        case .budget(let key, let asked):
            guard let grant = Lease.Grant(reply, asked: asked) else { throw .unknownReply }
            budgets?.replied(key, asked: asked, grant, &dialogue, now: now)
        case .flight(let fetch):
            guard let reply = FlightReply(reply),
                keys.replied(fetch, reply, wallClock: wallClock, &dialogue, now: now)
            else { throw .unknownReply }
        case .time(let fetch):
            guard let time = reply.time else { throw .unknownReply }
            keys.replied(fetch, time: time)
        case .entry(let fetch):
            keys.replied(fetch, entry: try reply.asText())
        case .marker(let fetch):
            guard let reply = keys.replied(fetch, marker: try reply.asText()) else { break }
            _ = keys.replied(fetch, reply, wallClock: wallClock, &dialogue, now: now)
        }
    }

    // MARK: Figures

    /// The fetches that wait for a slot.
    var waiting: Int { budgets?.waiting ?? 0 }

    var status: SharedStatus {
        var status = SharedStatus(url: url)
        status.state = dialogue.health.isConnected ? .connected : dialogue.health.isDegraded ? .degraded : .idle
        status.lastError = dialogue.health.lastError
        status.commands = dialogue.commands
        status.p50Milliseconds = dialogue.latency.percentileMilliseconds(0.5)
        status.p99Milliseconds = dialogue.latency.percentileMilliseconds(0.99)
        status.budget = budgets?.counters ?? SharedStatus.Budget()
        status.keys = keys.counters
        return status
    }
}

extension SharedState.Configuration {
    /// - Parameter random: returns a number in 0..<1.
    init(
        _ shared: SharedStateConfiguration, for client: KMSClientConfiguration, random: @escaping @Sendable () -> Double
    ) {
        self.init(
            keys: shared.keys, prefix: shared.prefix, url: shared.address.description,
            baseURL: client.endpoint.description, ratePerKey: client.ratePerKey, timeToLive: client.cacheTimeToLive,
            macSecret: shared.macSecret, marker: Flight.randomMarker, random: random)
    }
}
