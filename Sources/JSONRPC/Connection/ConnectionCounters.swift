/// What a connection has done so far.
public struct ConnectionCounters: Sendable {
    /// Requests and notifications read, invalid ones and the members of batches included.
    public internal(set) var received = 0
    /// Answers given, results and errors.
    public internal(set) var answered = 0
    /// Calls started and not finished.
    public internal(set) var inFlight = 0
    /// Errors among the answers, by code.
    public internal(set) var failures: [Int: Int] = [:]

    mutating func countAnswer(_ error: RPCError?) {
        answered += 1
        if let error { failures[error.code, default: 0] += 1 }
    }

    mutating func add(_ other: ConnectionCounters) {
        received += other.received
        answered += other.answered
        failures.merge(other.failures, uniquingKeysWith: +)
    }
}
