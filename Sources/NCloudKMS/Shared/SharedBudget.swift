import KMSPlatform

/// The fetches of one key that wait for a slot of the shared budget, and where their slots come from: the engine, or the
/// safe share while it can't be asked.
struct SharedBudget {
    private struct Waiter {
        let fetch: FetchID
        /// The earliest and the last one of its calls.
        var deadlines: ClosedRange<Instant>
    }

    private var waiters: [Waiter] = []
    private var lease: Lease
    private var share: SafeShare
    /// Whether the engine has not been told yet that the service throttled a request.
    private var isThrottlingUntold = false

    /// - Parameter rate: the configured rate of all processes together.
    init(_ rate: Rate) {
        lease = Lease(rate)
        share = SafeShare(rate)
    }

    var waiting: Int { waiters.count }

    /// Whether it behaves like a new one.
    func isIdle(now: Instant) -> Bool {
        waiters.isEmpty && !isThrottlingUntold && lease.isIdle(now: now) && share.isIdle(now: now)
    }

    // MARK: Fetches

    mutating func join(_ fetch: FetchID, deadline: Instant) {
        waiters.append(Waiter(fetch: fetch, deadlines: deadline...deadline))
    }

    /// Another call joined a fetch.
    ///
    /// - Returns: whether the fetch waits.
    mutating func extend(_ fetch: FetchID, deadline: Instant) -> Bool {
        guard let place = waiters.firstIndex(where: { $0.fetch == fetch }) else { return false }
        let known = waiters[place].deadlines
        waiters[place].deadlines = min(known.lowerBound, deadline)...max(known.upperBound, deadline)
        return true
    }

    mutating func leave(_ fetch: FetchID) {
        waiters.removeAll { $0.fetch == fetch }
    }

    /// The fetches whose turn has come, in order.
    ///
    /// - Parameter random: in 0..<1.
    /// - Returns: them, and how many of them go without a slot.
    mutating func admitDue(now: Instant, random: () -> Double) -> (admitted: [FetchID], local: Int) {
        var admitted: [FetchID] = []
        while let first = waiters.first {
            if share.isDegraded {
                guard share.admission(after: 0, now: now) <= now else { break }
                share.take(now: now, random: random())
            } else {
                guard lease.take(now: now) else { break }
                share.requested(now: now)
            }
            admitted.append(first.fetch)
            waiters.removeFirst()
        }
        if share.isDegraded { return (admitted, admitted.count) }
        let impatient = waiters.indices.filter {
            !lease.hasSlot(atPlace: $0) && patienceEnd(at: $0) ?? .distantFuture <= now
        }
        for place in impatient.reversed() { admitted.append(waiters.remove(at: place).fetch) }
        return (admitted, impatient.count)
    }

    /// When a fetch without a slot goes on without the engine's answer: after half of the time that its calls had when the
    /// engine was asked. A call that had ended by then does not count.
    private func patienceEnd(at place: Int) -> Instant? {
        guard let asked = lease.asked else { return nil }
        let deadlines = waiters[place].deadlines
        let deadline = deadlines.lowerBound > asked ? deadlines.lowerBound : deadlines.upperBound
        return asked + (deadline - asked) / 2
    }

    /// The turns of the fetches that wait, as far as they are known.
    func turns(now: Instant) -> [(fetch: FetchID, turn: Instant)] {
        waiters.indices.compactMap { place in turn(atPlace: place, now: now).map { (waiters[place].fetch, $0) } }
    }

    func turn(of fetch: FetchID, now: Instant) -> Instant? {
        waiters.firstIndex { $0.fetch == fetch }.flatMap { turn(atPlace: $0, now: now) }
    }

    private func turn(atPlace place: Int, now: Instant) -> Instant? {
        share.isDegraded ? share.admission(after: place, now: now) : lease.turn(atPlace: place)
    }

    /// When `admitDue` or `question` has something to do; nil if nothing waits for its time.
    ///
    /// - Parameter isConnected: whether the engine can be asked.
    func nextDue(isConnected: Bool, now: Instant) -> Instant? {
        guard !waiters.isEmpty else { return nil }
        if share.isDegraded { return share.admission(after: 0, now: now) }
        let patience = waiters.indices.lazy.filter { !lease.hasSlot(atPlace: $0) }.compactMap(patienceEnd).min()
        return earliest(patience, lease.nextDue(waiting: waiters.count, isConnected: isConnected))
    }

    // MARK: The engine

    /// What to ask the engine.
    struct Question: Equatable {
        /// Slots; 0 only reports.
        var count: Int
        /// A slot later than this is useless.
        var longestWait: Duration
        var isThrottled: Bool
    }

    /// What to ask now; nil for nothing. Only while the engine can be asked.
    mutating func question(now: Instant) -> Question? {
        let count = lease.question(waiting: waiters.count, now: now)
        guard count != nil || isThrottlingUntold else { return nil }
        defer { isThrottlingUntold = false }
        let longest = waiters.lazy.map { $0.deadlines.upperBound - now }.max() ?? .zero
        return Question(count: count ?? 0, longestWait: max(longest, .zero), isThrottled: isThrottlingUntold)
    }

    /// The engine's answer to a question that wanted slots.
    ///
    /// - Parameter random: in 0..<1.
    mutating func granted(_ grant: Lease.Grant, now: Instant, random: Double) {
        lease.granted(grant, now: now, random: random)
        share.granted(grant.count, now: now)
    }

    /// After an answer without slots: when the turn of each caller comes at the earliest.
    func earliestTurns(after grant: Lease.Grant, now: Instant) -> [(fetch: FetchID, turn: Instant)] {
        waiters.indices.map { (waiters[$0].fetch, now + grant.first + grant.interval * $0) }
    }

    /// The engine can't be asked from now on.
    ///
    /// - Parameters:
    ///   - random: in 0..<1.
    ///   - hadEngine: whether the engine ever answered this process.
    mutating func degrade(now: Instant, random: Double, hadEngine: Bool) {
        lease.failed()
        // By the time that it could be told, it would not be true any more.
        isThrottlingUntold = false
        share.begin(now: now, random: random, hadEngine: hadEngine)
    }

    /// The engine can be asked again.
    mutating func recover(now: Instant) {
        if let rate = share.current(now: now) {
            lease.recovered(from: rate, next: share.admission(after: 0, now: now), now: now)
        }
        share.end(now: now)
    }

    /// The service throttled a request.
    mutating func throttled(now: Instant) {
        isThrottlingUntold = true
        share.throttled(now: now)
    }

    /// The rate of the safe share; nil while the engine can be asked.
    func localRate(now: Instant) -> Rate? { share.current(now: now) }
}
