import CLinux

/// Where the time comes from. Decisions take instants as arguments; only the edges ask a clock.
public protocol TimeSource: Sendable {
    /// The monotonic clock, which goes on while the machine is suspended.
    var now: Instant { get }

    /// The wall clock: milliseconds since 1970-01-01T00:00:00Z. For signatures and dates alone; it may jump.
    var wallClockMilliseconds: Int64 { get }
}

/// The clocks of the system.
public struct SystemClock: TimeSource {
    public init() {}

    public var now: Instant {
        #if os(Linux)
        Instant(nanoseconds: Self.read(CLOCK_BOOTTIME))
        #else
        Instant(nanoseconds: Self.read(CLOCK_MONOTONIC))
        #endif
    }

    public var wallClockMilliseconds: Int64 { Self.read(CLOCK_REALTIME) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
