/// What deserves a line in a log.
public enum ConnectionEvent: Sendable, Equatable {
    /// A response to nothing that was asked.
    case responseDropped
    /// A notification that can't be obeyed, and why.
    case notificationDropped(RPCError)
    /// A message that is not a valid request, and the error that it was answered with.
    case refused(RPCError)
    /// Reading failed with that error number; taken for the end of the input.
    case inputFailed(CInt)
    /// Nobody reads the answers any more.
    case outputClosed(CInt)
    /// A stop descriptor became readable.
    case stopping
}

/// Why a connection ended.
public enum ConnectionEnding: Sendable, Equatable {
    /// The input was at its end, and everything is answered.
    case endOfInput
    /// The input could not be put in step again.
    case badFrame
    /// The client said `exit`.
    case exit
    /// The client said `shutdown`, and then neither `exit` nor anything else for a while.
    case shutdown
    /// That stop descriptor became readable.
    case stopped(by: CInt)
    /// Writing failed with that error number: EPIPE or ECONNRESET when the reader has closed the output, anything else
    /// when answers are lost.
    case outputClosed(CInt)
}

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
}
