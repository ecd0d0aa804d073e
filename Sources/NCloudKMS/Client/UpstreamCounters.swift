/// What the client has asked of the service so far.
public struct UpstreamCounters: Sendable {
    /// HTTP requests.
    public internal(set) var attempts = 0
    /// Attempts that repeated another.
    public internal(set) var retries = 0
    /// Answers that asked to slow down.
    public internal(set) var throttled = 0
    /// Attempts that brought no key.
    public internal(set) var failures = 0
}
