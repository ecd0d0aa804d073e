/// What a client has done and what it uses. Never a secret.
public struct ClientStatus: Sendable {
    /// The credentials in use; nil until some were found.
    public let credentials: CredentialStatus?
    /// Added to the machine's clock in signatures: the service's clock minus ours.
    public let clockSkew: Duration
    /// What was asked of the service.
    public let upstream: UpstreamStatus
    /// What the cache did.
    public let cache: CacheStatus
    /// Requests that wait for the rate limiter.
    public let limiterWaiting: Int
    /// What retries may still take.
    public let retryQuota: RetryQuotaStatus
}

/// What the cache of a client has done.
public struct CacheStatus: Sendable {
    /// Keys that it holds.
    public let entries: Int
    /// Calls that it answered.
    public let hits: Int
    /// Calls that it could not answer.
    public let misses: Int
    /// Expired answers that stood in for a service that could not be asked.
    public let stale: Int
    /// Calls that joined another call's fetch.
    public let coalesced: Int
}

/// The budget of retries, in tokens: a retry takes some, a success gives some back. Without tokens nothing is retried.
public struct RetryQuotaStatus: Sendable {
    /// The tokens left.
    public let available: Int
    /// The tokens of a full budget.
    public let capacity: Int
}

/// Which credentials a client uses.
public struct CredentialStatus: Sendable {
    /// The place that they came from, in words.
    public let source: String
    /// Abbreviated; nil for a token.
    public let accessKeyID: String?
}

/// What the client has asked of the service.
public struct UpstreamStatus: Sendable {
    /// HTTP requests for keys.
    public internal(set) var attempts = 0
    /// Attempts that repeated another.
    public internal(set) var retries = 0
    /// Answers that asked to slow down.
    public internal(set) var throttled = 0
    /// Attempts that brought no key.
    public internal(set) var failures = 0
    /// The median duration of an attempt, in milliseconds; nil before the first answer.
    public internal(set) var p50Milliseconds: Double?
    /// The 99th percentile of the duration of an attempt, in milliseconds; nil before the first answer.
    public internal(set) var p99Milliseconds: Double?
}
