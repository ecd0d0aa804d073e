import Platform

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
