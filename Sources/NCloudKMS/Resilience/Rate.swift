import KMSPlatform

/// One limit by the generic cell rate algorithm (ITU-T I.371), in whole nanoseconds: a request conforms unless it
/// arrives before its theoretical arrival time by more than the burst's intervals. That time is the whole state.
struct RateCell: Sendable {
    private var theoreticalArrival = Int64.min

    /// When a request that follows `count` others conforms, if each of those passes as early as possible; not before
    /// `now`.
    func admission(after count: Int, at rate: Rate, now: Instant) -> Instant {
        let start = Instant(nanoseconds: max(theoreticalArrival, now.nanoseconds))
        let wait = Int64(count) * rate.intervalNanoseconds - rate.toleranceNanoseconds
        return max(start + .nanoseconds(wait), now)
    }

    /// Lets a request pass.
    mutating func take(at rate: Rate, now: Instant) {
        theoreticalArrival = max(theoreticalArrival, now.nanoseconds) + rate.intervalNanoseconds
    }

    /// Whether the cell behaves like a new one.
    func isInPast(now: Instant) -> Bool {
        theoreticalArrival <= now.nanoseconds
    }
}

/// A number of requests per second, with a burst of a tenth of a second's requests, at least 1.
struct Rate: Equatable, Sendable {
    let perThousandSeconds: Int64

    init(perSecond: Int) {
        perThousandSeconds = Int64(perSecond) * 1_000
    }

    init(perThousandSeconds: Int64) {
        self.perThousandSeconds = perThousandSeconds
    }

    /// Rounded up, so that the rate is never exceeded.
    var intervalNanoseconds: Int64 { (1_000_000_000_000 + perThousandSeconds - 1) / perThousandSeconds }

    var interval: Duration { .nanoseconds(intervalNanoseconds) }

    var burst: Int64 { max(perThousandSeconds / 10_000, 1) }

    var toleranceNanoseconds: Int64 { (burst - 1) * intervalNanoseconds }
}

/// A rate that is reduced when the service throttles, and recovers step by step.
struct AdaptiveRate: Sendable {
    /// With a lower minimum, a key would be unreachable for minutes after one bad second.
    static let floor = Rate(perSecond: 1)
    /// Throttling answers within one second are one event.
    static let halvingInterval = Duration.seconds(1)

    private let configured: Rate
    /// The rate after the last halving; nil if it was never halved, or has fully recovered.
    private var reduced: Rate?
    private var lastHalving: Instant?
    private var lastThrottling: Instant?

    init(_ configured: Rate) {
        self.configured = configured
    }

    /// The current rate: each second without throttling restores a tenth of the configured one.
    func current(now: Instant) -> Rate {
        guard let reduced, let lastThrottling else { return configured }
        let seconds = max((now - lastThrottling).nanoseconds / 1_000_000_000, 0)
        let recovered = reduced.perThousandSeconds + configured.perThousandSeconds / 10 * min(seconds, 10)
        return Rate(perThousandSeconds: min(recovered, configured.perThousandSeconds))
    }

    mutating func throttled(now: Instant) {
        // What has been restored so far stays; the seconds are counted from now.
        let current = current(now: now)
        reduced = current
        lastThrottling = now
        if let lastHalving, now - lastHalving < Self.halvingInterval { return }
        lastHalving = now
        let floor = min(Self.floor.perThousandSeconds, configured.perThousandSeconds)
        reduced = Rate(perThousandSeconds: max(current.perThousandSeconds / 2, floor))
    }

    /// Whether it behaves like a new one.
    func isRecovered(now: Instant) -> Bool {
        current(now: now) == configured
    }
}
