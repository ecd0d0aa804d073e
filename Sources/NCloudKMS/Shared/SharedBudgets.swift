import KMSPlatform
import KMSPublicKeys

/// The shared budgets of all keys.
struct SharedBudgets {
    /// Budgets without relevant state are dropped when there are this many, or twice as many as the last sweep left.
    private static let minimumSweep = 1_024

    private let rate: Rate
    private let prefix: String
    private let baseURL: String
    private let random: @Sendable () -> Double
    private var budgets: [KeyTag: SharedBudget] = [:]
    /// The keys with waiting fetches. The numbers grow in the order in which the fetches began to wait.
    private var waitingKeys: [KeyTag: UInt64] = [:]
    private var lastNumber: UInt64 = 0
    /// Whether the engine ever answered.
    private var hadEngine = false
    private var sweepAt = minimumSweep
    private(set) var counters = SharedStatus.Budget()

    /// - Parameters:
    ///   - rate: of all processes together.
    ///   - prefix: before every name in the engine.
    ///   - baseURL: the service's.
    init(_ rate: Rate, prefix: String, baseURL: String, random: @escaping @Sendable () -> Double) {
        self.rate = rate
        self.prefix = prefix
        self.baseURL = baseURL
        self.random = random
    }

    /// The fetches that wait for a slot.
    var waiting: Int { waitingKeys.keys.reduce(0) { $0 + (budgets[$1]?.waiting ?? 0) } }

    /// - Parameter isConnected: whether the engine can be asked.
    func nextDue(isConnected: Bool, now: Instant) -> Instant? {
        waitingKeys.keys.lazy.compactMap { budgets[$0]?.nextDue(isConnected: isConnected, now: now) }.min()
    }

    mutating func due(_ dialogue: inout EngineDialogue, now: Instant) {
        let isConnected = dialogue.health.isConnected
        let due = waitingKeys.filter {
            budgets[$0.key]?.nextDue(isConnected: isConnected, now: now) ?? .distantFuture <= now
        }
        for key in Self.inOrder(due) { advance(key, &dialogue, now: now) }
    }

    private static func inOrder(_ keys: [KeyTag: UInt64]) -> [KeyTag] {
        keys.sorted { $0.value < $1.value }.map(\.key)
    }

    // MARK: Fetches

    /// A fetch needs a slot; the verdict follows.
    ///
    /// - Parameter deadline: of its calls.
    mutating func join(
        _ fetch: FetchID, _ key: KeyTag, deadline: Instant, _ dialogue: inout EngineDialogue, now: Instant
    ) {
        dropIdleBudgets(now: now)
        if waitingKeys[key] == nil {
            lastNumber += 1
            waitingKeys[key] = lastNumber
        }
        budgets[key, default: SharedBudget(rate)].join(fetch, deadline: deadline)
        if dialogue.wanted(now: now, deadline: deadline) == .goWithout { degrade(key, now: now) }
        advance(key, &dialogue, now: now)
        if let turn = turn(of: fetch, key, now: now) { dialogue.append(.turn(fetch, turn)) }
    }

    /// Another call joined a fetch.
    ///
    /// - Returns: whether the fetch waits for a slot.
    mutating func extend(_ fetch: FetchID, _ key: KeyTag, deadline: Instant) -> Bool {
        budgets[key]?.extend(fetch, deadline: deadline) ?? false
    }

    /// A fetch that waits for a slot does not need it any more.
    mutating func leave(_ fetch: FetchID, _ key: KeyTag) {
        budgets[key]?.leave(fetch)
        removeIfUnwanted(key)
    }

    private mutating func removeIfUnwanted(_ key: KeyTag) {
        if budgets[key]?.waiting == 0 { waitingKeys[key] = nil }
    }

    /// When a fetch's turn comes; nil if it is not known yet.
    func turn(of fetch: FetchID, _ key: KeyTag, now: Instant) -> Instant? { budgets[key]?.turn(of: fetch, now: now) }

    /// The service throttled a request for a key.
    mutating func throttled(_ key: KeyTag, _ dialogue: inout EngineDialogue, now: Instant) {
        budgets[key, default: SharedBudget(rate)].throttled(now: now)
        advance(key, &dialogue, now: now)
    }

    // MARK: The engine

    /// The engine has answered a question about a key.
    ///
    /// - Parameter asked: the slots that were wanted.
    mutating func replied(
        _ key: KeyTag, asked: Int, _ grant: Lease.Grant, _ dialogue: inout EngineDialogue, now: Instant
    ) {
        hadEngine = true
        guard asked > 0 else { return }
        budgets[key]?.granted(grant, now: now, random: random())
        counters.granted += grant.count
        guard grant.count > 0 else {
            counters.refused += 1
            // It asks again when it is due, and not for the calls that end because of this.
            return report(budgets[key]?.earliestTurns(after: grant, now: now), &dialogue)
        }
        let turns = budgets[key]?.turns(now: now)
        advance(key, &dialogue, now: now)
        report(turns, &dialogue)
    }

    /// The engine can be asked from now on.
    mutating func connected(_ dialogue: inout EngineDialogue, now: Instant) {
        for key in budgets.keys { budgets[key]?.recover(now: now) }
        for key in Self.inOrder(waitingKeys) { advance(key, &dialogue, now: now) }
    }

    /// The engine can't be asked from now on.
    mutating func degrade(_ dialogue: inout EngineDialogue, now: Instant) {
        // In an order that does not depend on this process's hash seed, because of the random numbers.
        for key in budgets.keys.sorted(by: { $0.text < $1.text }) { degrade(key, now: now) }
        for key in Self.inOrder(waitingKeys) { advance(key, &dialogue, now: now) }
        for key in Self.inOrder(waitingKeys) { report(budgets[key]?.turns(now: now), &dialogue) }
    }

    private mutating func degrade(_ key: KeyTag, now: Instant) {
        budgets[key]?.degrade(now: now, random: random(), hadEngine: hadEngine)
    }

    /// The highest limit of any key while degraded; before any, what a new key would get.
    func localRate(now: Instant) -> Rate {
        let rates = budgets.values.compactMap { $0.localRate(now: now)?.perThousandSeconds }
        return rates.max().map(Rate.init(perThousandSeconds:)) ?? SafeShare(rate).share(now: now, hadEngine: hadEngine)
    }

    /// Admits what is due, and asks for what is missing.
    private mutating func advance(_ key: KeyTag, _ dialogue: inout EngineDialogue, now: Instant) {
        guard let admission = budgets[key]?.admitDue(now: now, random: random) else { return }
        counters.local += admission.local
        for fetch in admission.admitted { dialogue.append(.admitted(fetch)) }
        removeIfUnwanted(key)
        guard dialogue.health.isConnected, let question = budgets[key]?.question(now: now) else { return }
        counters.asked += question.count
        let numbers = [
            rate.perThousandSeconds, Int64(question.count), question.longestWait.nanoseconds / 1_000,
            question.isThrottled ? 1 : 0,
        ]
        dialogue.send(
            .script(
                .budget, keys: [Self.name(of: key, prefix: prefix, baseURL: baseURL)],
                arguments: numbers.map { Array(String($0).utf8) }),
            .budget(key, asked: question.count), now: now)
    }

    private func report(_ turns: [(fetch: FetchID, turn: Instant)]?, _ dialogue: inout EngineDialogue) {
        for (fetch, turn) in turns ?? [] { dialogue.append(.turn(fetch, turn)) }
    }

    /// A budget's name in the engine. Accounts have no part in it: the service's limit is the key's.
    static func name(of key: KeyTag, prefix: String, baseURL: String) -> String {
        let digest = HashFunction.sha256.digest(of: Array("\(baseURL)\n\(key.text)".utf8))
        return "\(prefix):1:b:{\(digest.prefix(16).hexadecimal)}"
    }

    private mutating func dropIdleBudgets(now: Instant) {
        guard budgets.count >= sweepAt else { return }
        budgets = budgets.filter { !$0.value.isIdle(now: now) }
        sweepAt = max(budgets.count * 2, Self.minimumSweep)
    }
}
