import Platform

/// Decides whether a signature that a cached key finds wrong is tried once more with a fresh key, as the key may have
/// been rotated since (`protocol/`, `verifySignature`). Whoever sends wrong signatures must not be able to turn
/// each into a request: a key is fetched for this at most once in 30 s.
struct RecheckLimit: Sendable {
    static let interval = Duration.seconds(30)
    /// As many keys as the client's cache holds. When so many were fetched within the interval, no other one is, rather
    /// than that one is fetched too often.
    static let maximumKeys = 1_024

    private struct Recheck {
        let start: Instant
        var hasFailed = false
    }

    private let capacity: Int
    private var rechecks: [KeyTag: Recheck] = [:]

    init(capacity: Int = RecheckLimit.maximumKeys) {
        self.capacity = capacity
    }

    /// How many keys are remembered.
    var count: Int { rechecks.count }

    /// How old the key of another try may be; nil: the first result stands.
    ///
    /// Zero begins a recheck. Anything else asks for what the last recheck brought, or is about to bring: it is fresher
    /// than the key that was used, and takes no further request. Either way `recheckEnded` must be told how it ended.
    ///
    /// - Parameter used: when the fetch of the key began that found the signature wrong.
    mutating func maxAge(for key: KeyTag, used: Instant, now: Instant) -> Duration? {
        if let last = rechecks[key], now - last.start < Self.interval {
            return used < last.start && !last.hasFailed ? now - last.start : nil
        }
        if rechecks.count >= capacity, rechecks[key] == nil {
            rechecks = rechecks.filter { now - $0.value.start < Self.interval }
            guard rechecks.count < capacity else { return nil }
        }
        rechecks[key] = Recheck(start: now)
        return .zero
    }

    /// Another try, of whichever kind, has ended. As long as the last one brought no key there is nothing that others
    /// could ask for.
    mutating func recheckEnded(_ key: KeyTag, broughtKey: Bool) {
        rechecks[key]?.hasFailed = !broughtKey
    }
}
