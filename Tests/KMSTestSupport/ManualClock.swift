import KMSPlatform

/// A clock that stands still until it is moved by hand.
public final class ManualClock: TimeSource {
    private let times: Lock<(now: Instant, wall: Int64)>

    public init(now: Instant = Instant(nanoseconds: 0), wallClockMilliseconds: Int64 = 1_700_000_000_000) {
        times = Lock((now, wallClockMilliseconds))
    }

    public var now: Instant { times.withLock { $0.now } }
    public var wallClockMilliseconds: Int64 { times.withLock { $0.wall } }

    /// Moves both clocks forward together.
    public func advance(by duration: Duration) {
        times.withLock { times in
            times.now = times.now + duration
            times.wall += duration.milliseconds
        }
    }
}
