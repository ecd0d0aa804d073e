import KMSPlatform

/// What to do after a failed attempt.
package enum RetryDecision: Equatable, Sendable {
    case retry(after: Duration)
    /// Fail with the error of the attempt.
    ///
    /// - Parameter retryAfter: when a retry would have been sent, or when the server asked the client to come back.
    case stop(RetryStop, retryAfter: Duration?)
}

/// Why no attempt follows a failure; the `reason` of the error.
package enum RetryStop: String, CaseIterable, Sendable {
    /// Another attempt would get the same answer.
    case notRetryable = "not-retryable"
    /// The maximum number of attempts was made.
    case attempts
    /// The next attempt would come after the call's deadline.
    case deadline
    /// The service's retry quota is used up.
    case quota
}

/// The attempts of one fetch: how many were made, what they took from the quota, and whether another one follows.
package struct RetryProgress: Sendable {
    private let policy: RetryPolicy

    /// The number of HTTP requests that were made.
    package private(set) var attempts = 0
    /// The attempts that count towards `maximumAttempts`.
    private var countedAttempts = 0
    private var retries = 0
    private var costOfLastRetry: Int?
    /// Whether the last retry has been paid for but not sent.
    private var isRetryUnsent = false
    /// Whether the most recently started attempt is such a retry.
    private var isAttemptRetry = false
    private var wasDamagedBefore = false
    private var reauthentications: Set<Reauthentication> = []

    /// The reasons for which an attempt that was refused with 1002 may be repeated, each once.
    package enum Reauthentication: Hashable, Sendable {
        case clockSkew
        case newCredentials
    }

    package init(_ policy: RetryPolicy) {
        self.policy = policy
    }

    /// Whether another attempt may follow if the one that is about to start fails, as far as can be predicted.
    func mayHaveAnotherAttempt(now: Instant, quota: inout RetryQuota) -> Bool {
        countedAttempts + 1 < policy.maximumAttempts && quota.available(now: now) >= RetryQuota.retryCost
    }

    package mutating func attemptStarted() {
        attempts += 1
        isAttemptRetry = isRetryUnsent
        isRetryUnsent = false
    }

    /// The attempt that started last could not be sent. It has not ended; it starts again.
    mutating func attemptNotSent() {
        attempts -= 1
        isRetryUnsent = isAttemptRetry
    }

    /// Whether a refused attempt may be repeated at once because the clock was corrected or the credentials changed.
    /// Such a repeat costs no quota and does not count as an attempt: nothing is wrong with the service.
    package mutating func repeatsOnce(for reauthentication: Reauthentication) -> Bool {
        reauthentications.insert(reauthentication).inserted
    }

    /// Evaluates a failed attempt, and pays for the retry if there is one.
    ///
    /// - Parameters:
    ///   - hint: the wait that `Retry-After` requests, if valid.
    ///   - deadline: the deadline of the fetch.
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
            // Only the deadline ends these retries: the limiter has already slowed them down, and a service that
            // throttles works.
            costOfLastRetry = quota.takeWhatThereIs(upTo: RetryQuota.throttledRetryCost, now: now)
        } else {
            guard quota.take(RetryQuota.retryCost, now: now) else { return .stop(.quota, retryAfter: hint) }
            costOfLastRetry = RetryQuota.retryCost
        }
        isRetryUnsent = true
        retries += 1
        return .retry(after: delay)
    }

    /// No attempt follows: the quota gets back what an unsent retry took.
    package mutating func ended(now: Instant, quota: inout RetryQuota) {
        guard isRetryUnsent else { return }
        isRetryUnsent = false
        quota.giveBack(costOfLastRetry ?? 0, now: now)
    }

    /// The last attempt yielded a key: the quota gets back what its retry took.
    package func succeeded(now: Instant, quota: inout RetryQuota) {
        quota.giveBack(costOfLastRetry ?? RetryQuota.successReward, now: now)
    }
}

/// How often and when a request is retried. The numbers are those of the AWS SDKs' retries of 2026.
package struct RetryPolicy: Sendable {
    /// Long enough for a momentary outage to end, and short enough that callers hardly notice.
    package static let baseDelay = Duration.milliseconds(50)
    /// The service's limits are per second.
    package static let throttlingBaseDelay = Duration.seconds(1)
    /// Whether to wait longer is the caller's decision.
    package static let maximumDelay = Duration.seconds(20)
    /// How much longer than our own delay the server may ask us to wait.
    package static let maximumHintExcess = Duration.seconds(5)

    /// The maximum number of attempts that were not throttled, at least 1.
    package let maximumAttempts: Int

    package init(maximumAttempts: Int = KMSClientConfiguration.defaultMaximumAttempts) {
        self.maximumAttempts = maximumAttempts
    }

    /// The delay before a retry.
    ///
    /// - Parameters:
    ///   - retry: the retry's number within the call, starting at 0.
    ///   - isThrottled: whether the service asked the client to slow down.
    ///   - hint: the wait that `Retry-After` requests, if valid (`RetryAfter`).
    ///   - random: in 0..<1; 1 would give the upper bound, which is never reached.
    package static func delay(beforeRetry retry: Int, isThrottled: Bool, hint: Duration?, random: Double) -> Duration {
        let base = isThrottled ? throttlingBaseDelay : baseDelay
        // 2^20 times the base exceeds the maximum in both cases.
        let bound = min(base * (1 << min(retry, 20)), maximumDelay)
        let delay = bound.part(random)
        guard let hint else { return delay }
        return min(max(hint, delay), delay + maximumHintExcess)
    }
}

/// How many retries all calls to one service may make together: a bucket that retries drain and successes fill, so that
/// a service that is down is not flooded with retries.
package struct RetryQuota: Sendable {
    package static let capacity = 500
    package static let retryCost = 14
    /// Less than the other cost, because throttling does not mean that the service is down.
    package static let throttledRetryCost = 5
    /// What a success without a retry adds.
    package static let successReward = 1
    /// The time for one token: ten per second.
    package static let refillInterval = Duration.milliseconds(100)

    private var tokens = capacity
    /// The time up to which the refill has been counted.
    private var counted: Instant

    package init(now: Instant) {
        counted = now
    }

    package mutating func available(now: Instant) -> Int {
        refill(now: now)
        return tokens
    }

    /// Pays for a retry; false, without taking anything, if there are too few tokens.
    package mutating func take(_ cost: Int, now: Instant) -> Bool {
        refill(now: now)
        guard tokens >= cost else { return false }
        tokens -= cost
        return true
    }

    /// Takes a cost, or whatever is left.
    ///
    /// - Returns: how much it took.
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
