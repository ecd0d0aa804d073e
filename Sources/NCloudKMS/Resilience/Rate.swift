import KMSPlatform

/// One limit by the generic cell rate algorithm (ITU-T I.371), in whole nanoseconds: a request conforms unless it
/// comes more than the burst's worth of intervals before its theoretical arrival time. All its state is that time.
struct RateCell: Sendable {
    private var theoreticalArrival = Int64.min

    /// When a request conforms that comes after `count` others, if each of them passes as early as it may; not before
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

    /// Whether a new cell would behave the same.
    func isInPast(now: Instant) -> Bool {
        theoreticalArrival <= now.nanoseconds
    }
}

/// So many requests a second, and how many of them may come at once: a tenth of a second's worth, at least 1.
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

    var burst: Int64 { max(perThousandSeconds / 10_000, 1) }

    var toleranceNanoseconds: Int64 { (burst - 1) * intervalNanoseconds }
}

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
