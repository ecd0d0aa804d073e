import Platform

/// A rate that gives way when the service throttles, and recovers step by step.
struct AdaptiveRate: Sendable {
    /// Below this a key would be out of reach for minutes after one bad second.
    static let floor = Rate(perSecond: 1)
    /// The throttling answers of one second are one event.
    static let halvingInterval = Duration.seconds(1)

    private let configured: Rate
    /// The rate that the last halving left; nil when it was never halved, or all has come back.
    private var reduced: Rate?
    private var lastHalving: Instant?
    private var lastThrottling: Instant?

    init(_ configured: Rate) {
        self.configured = configured
    }

    /// The rate that counts now: a tenth of the configured one comes back with each second without throttling.
    func current(now: Instant) -> Rate {
        guard let reduced, let lastThrottling else { return configured }
        let seconds = max((now - lastThrottling).nanoseconds / 1_000_000_000, 0)
        let recovered = reduced.perThousandSeconds + configured.perThousandSeconds / 10 * min(seconds, 10)
        return Rate(perThousandSeconds: min(recovered, configured.perThousandSeconds))
    }

    mutating func throttled(now: Instant) {
        // What came back until now stays; the seconds count anew from here.
        let current = current(now: now)
        reduced = current
        lastThrottling = now
        if let lastHalving, now - lastHalving < Self.halvingInterval { return }
        lastHalving = now
        let floor = min(Self.floor.perThousandSeconds, configured.perThousandSeconds)
        reduced = Rate(perThousandSeconds: max(current.perThousandSeconds / 2, floor))
    }

    /// Whether it is back to what a new one is.
    func isRecovered(now: Instant) -> Bool {
        current(now: now) == configured
    }
}
