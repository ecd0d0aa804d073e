import CKMSLinux

/// A source of time. Decisions take instants as arguments; only the outermost layer reads a clock.
public protocol TimeSource: Sendable {
    /// The monotonic clock, which keeps running while the machine is suspended.
    var now: Instant { get }

    /// The wall clock, in milliseconds since 1970-01-01T00:00:00Z. Only for signatures and dates; it may jump.
    var wallClockMilliseconds: Int64 { get }
}

/// The system's clocks.
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

/// A point on the monotonic clock, in nanoseconds since an arbitrary origin. For intervals and ages, never for dates.
public struct Instant: Sendable, Hashable, Comparable {
    public var nanoseconds: Int64

    @inlinable public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than every other instant: stands for "no deadline".
    public static let distantFuture = Instant(nanoseconds: .max)

    @inlinable public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates: a sum out of range is `distantFuture`.
    @inlinable public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    /// The time from `right` to `left`; negative if `right` is later.
    @inlinable public static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }
}

/// The earlier of two optional instants; nil if there is none.
@inlinable package func earliest(_ one: Instant?, _ other: Instant?) -> Instant? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
}

extension Duration {
    /// Whole nanoseconds, rounded towards zero; clamped to ±292 years.
    @inlinable public var nanoseconds: Int64 {
        Int64(clamping: attoseconds / 1_000_000_000)
    }

    /// Whole milliseconds, rounded towards zero.
    @inlinable public var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// Whole milliseconds, rounded up, so that a wait of this length does not end early.
    @inlinable public var millisecondsRoundedUp: Int64 {
        let (milliseconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return rest > 0 ? milliseconds + 1 : milliseconds
    }

    /// The absolute value.
    package var magnitude: Duration { self < .zero ? .zero - self : self }

    /// A part of it, such as a random one.
    ///
    /// - Parameter share: 0 or more.
    package func part(_ share: Double) -> Duration { .nanoseconds(Int64(Double(nanoseconds) * share)) }
}
