import Platform

/// How many retries all calls to one service may make together: a bucket that retries empty and successes fill, so
/// that a service that is down gets no flood of repeats on top.
package struct RetryQuota: Sendable {
    package static let capacity = 500
    package static let retryCost = 14
    /// Less than the other: throttling is no sign of a service that is down.
    package static let throttledRetryCost = 5
    /// What a success gives back that needed no retry.
    package static let successReward = 1
    /// One token; ten in a second.
    package static let refillInterval = Duration.milliseconds(100)

    private var tokens = capacity
    /// Up to when the refill has been counted.
    private var counted: Instant

    package init(now: Instant) {
        counted = now
    }

    package mutating func available(now: Instant) -> Int {
        refill(now: now)
        return tokens
    }

    /// Takes what a retry costs; false, and nothing taken, if there is less.
    package mutating func take(_ cost: Int, now: Instant) -> Bool {
        refill(now: now)
        guard tokens >= cost else { return false }
        tokens -= cost
        return true
    }

    /// Takes a cost, or the rest if there is less.
    ///
    /// - Returns: what it took.
    package mutating func takeWhatThereIs(upTo cost: Int, now: Instant) -> Int {
        let taken = min(cost, available(now: now))
        tokens -= taken
        return taken
    }

    package mutating func giveBack(_ count: Int, now: Instant) {
        refill(now: now)
        tokens = min(tokens + count, Self.capacity)
    }

    private mutating func refill(now: Instant) {
        guard now > counted else { return }
        let interval = Self.refillInterval.nanoseconds
        let count = (now - counted).nanoseconds / interval
        counted = counted + .nanoseconds(count * interval)
        tokens = min(tokens + Int(count), Self.capacity)
    }
}
