/// What a client has done and what it uses. Never a secret.
public struct ClientStatus: Sendable {
    /// Nil until credentials were found.
    public let credentials: CredentialStatus?
    /// Added to the machine's clock in signatures: the service's clock minus ours.
    public let clockSkew: Duration
    public let upstream: UpstreamStatus
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
    /// The time that attempts took, half of them at most so long; nil before the first answer.
    public internal(set) var p50Milliseconds: Double?
    public internal(set) var p99Milliseconds: Double?
}

extension KMSEngine {
    var status: ClientStatus {
        let credentials = signers.chain.credentials(now: clock.now).map {
            CredentialStatus(source: "\($0.source)", accessKeyID: $0.abbreviatedAccessKeyID)
        }
        return ClientStatus(credentials: credentials, clockSkew: skew.offset, upstream: upstream)
    }
}
