/// A progress report for a call that waits.
package struct FetchProgress: Sendable, Equatable {
    /// Runs on the loop, any number of times before the outcome.
    package typealias Handler = @Sendable (FetchProgress) -> Void

    package enum Activity: Sendable, Equatable {
        /// The rate limiter has not admitted it yet.
        case waitingForLimiter
        /// The second or a later attempt begins; its number.
        case attempt(Int)
    }

    package let activity: Activity
    /// The attempts allowed. Throttled ones don't count, so there may be more.
    package let maximumAttempts: Int
}
