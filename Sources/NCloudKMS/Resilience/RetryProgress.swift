import Platform

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
        isRetryUnsent = false
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
