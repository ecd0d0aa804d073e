/// The counters and the current state of a client. Contains no secret.
public struct ClientStatus: Sendable {
    /// The credentials in use; nil until some have been found.
    public let credentials: CredentialStatus?
    /// Added to the machine's clock in signatures: the service's clock minus ours.
    public let clockSkew: Duration
    /// The requests to the service.
    public let upstream: UpstreamStatus
    /// The counters of the cache.
    public let cache: CacheStatus
    /// Requests that wait for the rate limiter.
    public let limiterWaiting: Int
    /// The remaining budget for retries.
    public let retryQuota: RetryQuotaStatus
    /// What is shared with other processes; nil for nothing.
    public let shared: SharedStatus?
}

/// The counters of a client's cache.
public struct CacheStatus: Sendable {
    /// Keys in the cache.
    public let entries: Int
    /// Calls that the cache answered.
    public let hits: Int
    /// Calls that the cache could not answer.
    public let misses: Int
    /// Expired keys that were returned because the service could not be reached.
    public let stale: Int
    /// Calls that joined another call's fetch.
    public let coalesced: Int
}

/// The budget of retries, in tokens: a retry takes some, and a success gives some back. If there are none left, nothing
/// is retried.
public struct RetryQuotaStatus: Sendable {
    /// The tokens that are left.
    public let available: Int
    /// The tokens of a full budget.
    public let capacity: Int
}

/// Which credentials a client uses.
public struct CredentialStatus: Sendable {
    /// Where they came from, in words.
    public let source: String
    /// Abbreviated; nil for a token.
    public let accessKeyID: String?
}

/// The requests of a client to the service.
public struct UpstreamStatus: Sendable {
    /// HTTP requests for keys.
    public internal(set) var attempts = 0
    /// Attempts that were retries.
    public internal(set) var retries = 0
    /// Answers that told the client to slow down.
    public internal(set) var throttled = 0
    /// Attempts that did not return a key.
    public internal(set) var failures = 0
    /// The median duration of an attempt, in milliseconds; nil before the first answer.
    public internal(set) var p50Milliseconds: Double?
    /// The 99th percentile of the duration of an attempt, in milliseconds; nil before the first answer.
    public internal(set) var p99Milliseconds: Double?
}
