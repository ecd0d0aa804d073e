import KMSPlatform

/// What to do after a failed attempt.
package enum RetryDecision: Equatable, Sendable {
    case retry(after: Duration)
    /// Fail with the error of that attempt.
    ///
    /// - Parameter retryAfter: when a retry would have come, or when the server said to come again.
    case stop(RetryStop, retryAfter: Duration?)
}

/// Why a failure is not followed by another attempt; `reason` of the error.
package enum RetryStop: String, CaseIterable, Sendable {
    /// Another attempt would bring the same answer.
    case notRetryable = "not-retryable"
    /// There were as many as there may be.
    case attempts
    /// The next one would come after the call's time.
    case deadline
    /// The retry quota of the service is used up.
    case quota
}

/// The attempts of one fetch: how many there were, what they took from the quota, and whether there is to be another.
package struct RetryProgress: Sendable {
    private let policy: RetryPolicy

    /// HTTP requests made.
    package private(set) var attempts = 0
    /// Those that count against `maximumAttempts`.
    private var countedAttempts = 0
    private var retries = 0
    private var costOfLastRetry: Int?
    /// Whether the last retry is paid for and has not been sent.
    private var isRetryUnsent = false
    /// Whether the attempt that started last is such a retry.
    private var isAttemptRetry = false
    private var wasDamagedBefore = false
    private var reauthentications: Set<Reauthentication> = []

    /// What an attempt that was refused as 1002 may be repeated for, each once.
    package enum Reauthentication: Hashable, Sendable {
        case clockSkew
        case newCredentials
    }

    package init(_ policy: RetryPolicy) {
        self.policy = policy
    }

    /// Whether a failure of the attempt that is about to start may be followed by another, as far as one can tell.
    func mayHaveAnotherAttempt(now: Instant, quota: inout RetryQuota) -> Bool {
        countedAttempts + 1 < policy.maximumAttempts && quota.available(now: now) >= RetryQuota.retryCost
    }

    package mutating func attemptStarted() {
        attempts += 1
        isAttemptRetry = isRetryUnsent
        isRetryUnsent = false
    }

    /// The attempt that started last could not be sent, which is not its end: it starts again.
    mutating func attemptNotSent() {
        attempts -= 1
        isRetryUnsent = isAttemptRetry
    }

    /// Whether a refused attempt may be repeated at once because the clock was corrected or the credentials changed.
    /// It costs no quota, and does not count as an attempt: nothing is wrong with the service.
    package mutating func repeatsOnce(for reauthentication: Reauthentication) -> Bool {
        reauthentications.insert(reauthentication).inserted
    }

    /// Judges a failed attempt, and pays for the retry if there is to be one.
    ///
    /// - Parameters:
    ///   - hint: what `Retry-After` said, if it made sense.
    ///   - deadline: of the fetch.
    ///   - random: in 0..<1.
    package mutating func decide(
        after repetition: Repetition, hint: Duration?, now: Instant, deadline: Instant, random: Double,
        quota: inout RetryQuota
    ) -> RetryDecision {
        let isThrottled = repetition == .afterThrottling
        if !isThrottled { countedAttempts += 1 }
        switch repetition {
        case .never, .afterReauthentication: return .stop(.notRetryable, retryAfter: nil)
        case .once:
            if wasDamagedBefore { return .stop(.attempts, retryAfter: nil) }
            wasDamagedBefore = true
        case .afterBackoff, .afterThrottling: break
        }
        if countedAttempts >= policy.maximumAttempts, !isThrottled { return .stop(.attempts, retryAfter: hint) }

        let delay = RetryPolicy.delay(beforeRetry: retries, isThrottled: isThrottled, hint: hint, random: random)
        if now + delay >= deadline { return .stop(.deadline, retryAfter: max(delay, hint ?? .zero)) }
        if isThrottled {
            // Only the deadline ends these: the limiter has slowed them down already, and a service that throttles works.
            costOfLastRetry = quota.takeWhatThereIs(upTo: RetryQuota.throttledRetryCost, now: now)
        } else {
            guard quota.take(RetryQuota.retryCost, now: now) else { return .stop(.quota, retryAfter: hint) }
            costOfLastRetry = RetryQuota.retryCost
        }
        isRetryUnsent = true
        retries += 1
        return .retry(after: delay)
    }

    /// There is to be no further attempt: the quota gets back what a retry took that was never sent.
    package mutating func ended(now: Instant, quota: inout RetryQuota) {
        guard isRetryUnsent else { return }
        isRetryUnsent = false
        quota.giveBack(costOfLastRetry ?? 0, now: now)
    }

    /// The last attempt brought a key: the quota gets back what its retry took.
    package func succeeded(now: Instant, quota: inout RetryQuota) {
        quota.giveBack(costOfLastRetry ?? RetryQuota.successReward, now: now)
    }
}

/// How often and how late a request is repeated. The numbers are those of the AWS SDKs' retries of 2026.
package struct RetryPolicy: Sendable {
    /// An outage of a moment is over by then; the caller hardly notices.
    package static let baseDelay = Duration.milliseconds(50)
    /// Limits are counted by the second.
    package static let throttlingBaseDelay = Duration.seconds(1)
    /// A longer wait is the caller's to decide.
    package static let maximumDelay = Duration.seconds(20)
    /// How much longer than our own delay the server may ask us to wait.
    package static let maximumHintExcess = Duration.seconds(5)

    /// Attempts that were not throttled, at least 1.
    package let maximumAttempts: Int

    package init(maximumAttempts: Int = KMSClientConfiguration.defaultMaximumAttempts) {
        self.maximumAttempts = maximumAttempts
    }

    /// The delay before a retry.
    ///
    /// - Parameters:
    ///   - retry: which one of the call, counted from 0.
    ///   - isThrottled: whether the service asked to slow down.
    ///   - hint: what `Retry-After` said, if it made sense (`RetryAfter`).
    ///   - random: in 0..<1; 1 gives the bound that is never reached.
    package static func delay(beforeRetry retry: Int, isThrottled: Bool, hint: Duration?, random: Double) -> Duration {
        let base = isThrottled ? throttlingBaseDelay : baseDelay
        // 2^20 times the base is beyond the maximum for both.
        let bound = min(base * (1 << min(retry, 20)), maximumDelay)
        let delay = Duration.nanoseconds(Int64(Double(bound.nanoseconds) * random))
        guard let hint else { return delay }
        return min(max(hint, delay), delay + maximumHintExcess)
    }
}

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
