import KMSPlatform

/// The limit of one key while the shared engine can't be asked: a part of what this process was granted before, so that
/// all processes together stay below the service's limit.
struct SafeShare: Sendable {
    /// What is granted is counted over this many seconds.
    static let window = 10
    /// A process that had no request in this time, and for an interval, gets one at once.
    static let quiet = Duration.seconds(1)

    private let configured: Rate
    /// Slots granted in the last seconds: the counts of `window` seconds, and the second of the newest.
    private var counts = [Int64](repeating: 0, count: window)
    private var second: Int64?
    private(set) var isDegraded = false
    /// The rate while degraded. It outlives a connection on which the engine did not answer: such a connection must not
    /// count as a time in which little was granted, or let throttling be forgotten.
    private var rate: AdaptiveRate?
    private var end: Instant?
    private var lastRequest: Instant?
    /// When the next slot comes.
    private var next = Instant(nanoseconds: 0)

    /// - Parameter configured: the rate of all processes together.
    init(_ configured: Rate) {
        self.configured = configured
    }

    /// The current rate while degraded.
    func current(now: Instant) -> Rate? { isDegraded ? rate?.current(now: now) : nil }

    /// Whether nothing of the last seconds is left that matters.
    func isIdle(now: Instant) -> Bool {
        let window = Duration.seconds(Self.window)
        let hasGrants = second.map { now.nanoseconds / 1_000_000_000 - $0 <= Int64(Self.window) } ?? false
        return !hasGrants && lastRequest.map { now - $0 > window } ?? true
    }

    /// The engine answered.
    ///
    /// - Parameter count: the slots that it granted.
    mutating func granted(_ count: Int, now: Instant) {
        rate = nil
        guard count > 0 else { return }
        advance(to: now)
        counts[Int(now.nanoseconds / 1_000_000_000) % Self.window] += Int64(count)
    }

    /// A request is sent, whoever allowed it.
    mutating func requested(now: Instant) {
        lastRequest = now
    }

    /// The engine can't be asked from now on.
    ///
    /// - Parameters:
    ///   - random: in 0..<1.
    ///   - hadEngine: whether the engine ever answered this process.
    mutating func begin(now: Instant, random: Double, hadEngine: Bool) {
        guard !isDegraded else { return }
        isDegraded = true
        let hasLasted = end.map { now - $0 < .seconds(Self.window) } ?? false
        let rate = (hasLasted ? rate : nil) ?? AdaptiveRate(share(now: now, hadEngine: hadEngine))
        self.rate = rate
        next = now + rate.current(now: now).interval.part(random)
    }

    /// The engine can be asked again.
    mutating func end(now: Instant) {
        isDegraded = false
        end = now
    }

    /// When a caller may go, if `count` others go before it.
    func admission(after count: Int, now: Instant) -> Instant {
        guard let interval = current(now: now)?.interval else { return now }
        return (isQuiet(now: now, interval) ? now : max(next, now)) + interval * count
    }

    /// Lets a caller go whose time has come.
    ///
    /// - Parameter random: in 0..<1.
    mutating func take(now: Instant, random: Double) {
        guard let interval = current(now: now)?.interval else { return }
        // The quiet ones of all processes may have gone together. They must not go on in step.
        next = now + (isQuiet(now: now, interval) ? interval.part(random) : interval)
        lastRequest = now
    }

    /// With an interval of a second or more, every process would be quiet when its turn comes.
    private func isQuiet(now: Instant, _ interval: Duration) -> Bool {
        lastRequest.map { now - $0 >= Self.quiet + interval } ?? true
    }

    /// The service throttled a request.
    mutating func throttled(now: Instant) {
        rate?.throttled(now: now)
    }

    /// Three quarters of what was granted per second, or a tenth of the whole if the engine was never reached; at least
    /// one request per second.
    func share(now: Instant, hadEngine: Bool) -> Rate {
        let floor = min(AdaptiveRate.floor.perThousandSeconds, configured.perThousandSeconds)
        guard hadEngine else { return Rate(perThousandSeconds: max(configured.perThousandSeconds / 10, floor)) }
        var counted = self
        counted.advance(to: now)
        let granted = counted.counts.reduce(0, +)
        let share = min(granted * 1_000 / Int64(Self.window) / 4 * 3, configured.perThousandSeconds)
        return Rate(perThousandSeconds: max(share, floor))
    }

    /// Forgets the counts of seconds that are not in the window any more.
    private mutating func advance(to now: Instant) {
        let current = now.nanoseconds / 1_000_000_000
        guard let second, current - second < Int64(Self.window) else {
            counts = [Int64](repeating: 0, count: Self.window)
            second = current
            return
        }
        guard current > second else { return }
        for passed in second + 1...current { counts[Int(passed) % Self.window] = 0 }
        self.second = current
    }
}
