/// What a client has done and what it uses. Never a secret.
public struct ClientStatus: Sendable {
    /// Nil until credentials were found.
    public let credentials: CredentialStatus?
    /// Added to the machine's clock in signatures: the service's clock minus ours.
    public let clockSkew: Duration
    public let upstream: UpstreamStatus
    public let cache: CacheStatus
    /// Requests that wait for the rate limiter.
    public let limiterWaiting: Int
    public let retryQuota: RetryQuotaStatus
}

public struct CacheStatus: Sendable {
    public let entries: Int
    public let hits: Int
    public let misses: Int
    /// Expired answers that stood in for a service that could not be asked.
    public let stale: Int
    /// Calls that joined another call's fetch.
    public let coalesced: Int
}

/// What retries may still take, and what they could at most.
public struct RetryQuotaStatus: Sendable {
    public let available: Int
    public let capacity: Int
}

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
    /// The time that attempts took, half of them at most this; nil before the first answer.
    public internal(set) var p50Milliseconds: Double?
    public internal(set) var p99Milliseconds: Double?
}
