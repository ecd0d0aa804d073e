import KMSPlatform

/// Decides which callers may send a request now, and when the others may: a limit for each key, one for the process,
/// and a queue for each key.
///
/// Waiting callers for one key are served first come, first served. Under the process's limit, the earliest caller goes
/// first among those whose own key permits it. It starts no timer: call `admitDue` at `nextAdmission`.
///
/// - Important: the work for one call grows with the number of keys with waiting callers, which is bounded by the
///   number of calls in flight.
package struct RateLimiter: Sendable {
    /// A caller in a queue.
    package struct Ticket: Hashable, Sendable {
        fileprivate let key: KeyTag
        /// Increases with each caller, so that it orders them by arrival.
        fileprivate let number: UInt64
    }

    package enum Admission: Equatable, Sendable {
        /// Send now.
        case now
        /// Wait until `admitDue` returns the ticket.
        case waiting(Ticket)
        /// The turn would not come before the deadline.
        ///
        /// - Parameter retryAfter: the time until the turn.
        case refused(retryAfter: Duration)
    }

    private struct KeyState {
        var cell = RateCell()
        /// The key's rate; nil if keys have no limit.
        var rate: AdaptiveRate?
        /// The tickets' numbers, in order.
        var queue: [UInt64] = []

        /// When the caller at a position in the queue may send, considering only the key's limit.
        func admission(atPlace place: Int, now: Instant) -> Instant {
            guard let rate else { return now }
            return cell.admission(after: place, at: rate.current(now: now), now: now)
        }

        mutating func take(now: Instant) {
            if let rate { cell.take(at: rate.current(now: now), now: now) }
        }

        /// Whether it behaves like a new one.
        func isIdle(now: Instant) -> Bool {
            queue.isEmpty && cell.isInPast(now: now) && rate?.isRecovered(now: now) ?? true
        }
    }

    /// Keys without waiting callers and without relevant state are dropped when there are this many keys, or twice as
    /// many as the last sweep left.
    private static let minimumSweep = 1_024

    private let ratePerKey: Rate?
    private let totalRate: Rate?
    private var total = RateCell()
    private var keys: [KeyTag: KeyState] = [:]
    /// The keys with waiting callers.
    private var waitingKeys: Set<KeyTag> = []
    private var sweepAt = minimumSweep
    private var lastNumber: UInt64 = 0

    /// The number of waiting callers.
    package private(set) var waiting = 0

    /// - Parameters:
    ///   - ratePerKey: requests per second for each key; 0 for no limit.
    ///   - totalRate: requests per second for all keys together; 0 for no limit.
    package init(ratePerKey: Int = KMSClientConfiguration.defaultRatePerKey, totalRate: Int = 0) {
        self.ratePerKey = ratePerKey > 0 ? Rate(perSecond: ratePerKey) : nil
        self.totalRate = totalRate > 0 ? Rate(perSecond: totalRate) : nil
    }

    /// Requests permission for one request.
    package mutating func admit(_ key: KeyTag, now: Instant, deadline: Instant) -> Admission {
        guard ratePerKey != nil || totalRate != nil else { return .now }
        dropIdleKeys(now: now)
        let newState = newState
        let state = keys[key] ?? newState
        let turn = turn(in: state, atPlace: state.queue.count, number: .max, now: now)
        if turn <= now, state.queue.isEmpty, !isAnybodyDue(now: now) {
            keys[key, default: newState].take(now: now)
            takeFromTotal(now: now)
            return .now
        }
        guard turn < deadline else { return .refused(retryAfter: turn - now) }

        lastNumber += 1
        keys[key, default: newState].queue.append(lastNumber)
        waitingKeys.insert(key)
        waiting += 1
        return .waiting(Ticket(key: key, number: lastNumber))
    }

    /// The callers whose turn has come, in the order in which they may send.
    package mutating func admitDue(now: Instant) -> [Ticket] {
        var due: [Ticket] = []
        while let ticket = firstDue(now: now), cancel(ticket) {
            keys[ticket.key]?.take(now: now)
            takeFromTotal(now: now)
            due.append(ticket)
        }
        return due
    }

    /// When to call `admitDue`; nil if no caller waits. Not before `now`.
    package func nextAdmission(now: Instant) -> Instant? {
        guard let first = waitingKeys.lazy.compactMap({ keys[$0]?.admission(atPlace: 0, now: now) }).min() else {
            return nil
        }
        return max(first, totalAdmission(after: 0, now: now))
    }

    /// Leaves a queue, so that all later callers move up. False if the ticket was admitted or cancelled before.
    @discardableResult
    package mutating func cancel(_ ticket: Ticket) -> Bool {
        guard let place = keys[ticket.key]?.queue.firstIndex(of: ticket.number) else { return false }
        keys[ticket.key]?.queue.remove(at: place)
        waiting -= 1
        if keys[ticket.key]?.queue.isEmpty ?? true { waitingKeys.remove(ticket.key) }
        return true
    }

    /// When a waiting caller's turn comes, at the earliest; nil if it was admitted or cancelled.
    package func turn(of ticket: Ticket, now: Instant) -> Instant? {
        guard let state = keys[ticket.key], let place = state.queue.firstIndex(of: ticket.number) else { return nil }
        return turn(in: state, atPlace: place, number: ticket.number, now: now)
    }

    /// The service throttled a request for this key (429 with code 410 or 420).
    package mutating func throttled(_ key: KeyTag, now: Instant) {
        guard ratePerKey != nil else { return }
        let newState = newState
        keys[key, default: newState].rate?.throttled(now: now)
    }

    /// The number of keys with state.
    var rememberedKeys: Int { keys.count }

    /// The current rate of a key, in requests per thousand seconds.
    func currentRate(of key: KeyTag, now: Instant) -> Int64? {
        ratePerKey.map { (keys[key]?.rate?.current(now: now) ?? $0).perThousandSeconds }
    }

    // MARK: The turns

    /// When the process's limit lets a caller go after `count` others.
    private func totalAdmission(after count: Int, now: Instant) -> Instant {
        totalRate.map { total.admission(after: count, at: $0, now: now) } ?? now
    }

    /// The earliest time at which a caller at a position in its key's queue may send: after the callers before it in
    /// that queue and, under the process's limit, after all earlier callers whose keys don't make them wait longer.
    private func turn(in state: KeyState, atPlace place: Int, number: UInt64, now: Instant) -> Instant {
        let turn = state.admission(atPlace: place, now: now)
        guard totalRate != nil else { return turn }
        var ahead = 0
        for key in waitingKeys {
            guard let state = keys[key] else { continue }
            ahead +=
                state.queue.indices
                .prefix { state.queue[$0] < number && state.admission(atPlace: $0, now: now) <= turn }.count
        }
        return max(turn, totalAdmission(after: ahead, now: now))
    }

    private func isAnybodyDue(now: Instant) -> Bool {
        totalRate != nil && firstDue(now: now) != nil
    }

    private func firstDue(now: Instant) -> Ticket? {
        guard totalAdmission(after: 0, now: now) <= now else { return nil }
        return waitingKeys.lazy
            .compactMap { key -> Ticket? in
                guard let state = keys[key], let number = state.queue.first,
                    state.admission(atPlace: 0, now: now) <= now
                else { return nil }
                return Ticket(key: key, number: number)
            }
            .min { $0.number < $1.number }
    }

    private mutating func takeFromTotal(now: Instant) {
        if let totalRate { total.take(at: totalRate, now: now) }
    }

    // MARK: Memory

    private var newState: KeyState { KeyState(rate: ratePerKey.map(AdaptiveRate.init)) }

    private mutating func dropIdleKeys(now: Instant) {
        guard keys.count >= sweepAt else { return }
        keys = keys.filter { !$0.value.isIdle(now: now) }
        sweepAt = max(keys.count * 2, Self.minimumSweep)
    }
}
