/// An event that is worth a line in a log.
public enum ConnectionEvent: Sendable, Equatable {
    /// A response, although no request was sent.
    case responseDropped
    /// A notification that can't be handled, and why.
    case notificationDropped(RPCError)
    /// A message that is not a valid request, and the error that answered it.
    case refused(RPCError)
    /// Reading failed with this error number; treated like the end of the input.
    case inputFailed(CInt)
    /// Nobody reads the answers any more; the value is the error number.
    case outputClosed(CInt)
    /// A stop descriptor became readable.
    case stopping
}

/// Why a connection ended.
public enum ConnectionEnding: Sendable, Equatable {
    /// The input ended, and everything has been answered.
    case endOfInput
    /// A frame was invalid, so that the input after it could not be read.
    case badFrame
    /// The client sent `exit`.
    case exit
    /// The client sent `shutdown`, and then neither `exit` nor anything else for a while.
    case shutdown
    /// This stop descriptor became readable.
    case stopped(by: CInt)
    /// Writing failed with this error number: EPIPE or ECONNRESET if the reader has closed the output, anything else if
    /// answers were lost.
    case outputClosed(CInt)
}

/// A connection's counters.
public struct ConnectionCounters: Sendable {
    /// Requests and notifications read, including invalid ones and the members of batches.
    public internal(set) var received = 0
    /// Answers, both results and errors.
    public internal(set) var answered = 0
    /// Calls that were started and have not finished.
    public internal(set) var inFlight = 0
    /// Answers that were errors, by code.
    public internal(set) var failures: [Int: Int] = [:]

    mutating func countAnswer(_ error: RPCError?) {
        answered += 1
        if let error { failures[error.code, default: 0] += 1 }
    }
}
