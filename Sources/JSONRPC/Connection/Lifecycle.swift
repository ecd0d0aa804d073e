import Platform

/// When a connection ends, and how: a value that is told what happened and says what to do.
struct Lifecycle: Sendable {
    /// After a signal, what is in flight has so long to finish.
    static let grace = Duration.seconds(1)
    /// Behind the grace, the refusals have so long to be written: those of all calls are more than a pipe holds, so the
    /// reader must get to run.
    static let refusalFlush = Duration.milliseconds(500)
    /// After `shutdown`, a host has so long behind it and the last answer to say `exit` or to close its pipe.
    static let shutdownLinger = Duration.seconds(2)

    /// What the connection has in hand.
    struct Work: Equatable {
        /// Calls started and not finished.
        var inFlight: Int
        /// There is input that was read and can still become an answer.
        var hasInput: Bool
        /// Bytes of answers not written.
        var unwritten: Int
        var lastAnswer: Instant
    }

    enum Verdict: Equatable {
        /// Go on; come back at that time at the latest.
        case run(until: Instant?)
        /// Answer everything in flight with `RPCError.shuttingDown`, and ask again.
        case refuseInFlight
        case exit
    }

    private(set) var inputHasEnded = false
    /// New requests are answered with `RPCError.shuttingDown`.
    private(set) var refusesRequests = false
    private(set) var isOutputClosed = false
    /// Nothing behind the `exit` notification is dealt with.
    private(set) var mustExit = false
    /// The end of the grace, once there is one.
    private var end: Instant?
    /// When the `shutdown` request came.
    private var shutDownTime: Instant?

    /// The end is near, and nothing brings it nearer: a stop descriptor need not be watched any more.
    var isEnding: Bool { end != nil }

    /// The stream of requests is at its end: finish everything, wait for a slow reader, exit.
    mutating func inputEnded() {
        inputHasEnded = true
    }

    /// A signal, or the end of the parent process: read nothing more, and finish within the grace.
    mutating func terminate(now: Instant) {
        inputHasEnded = true
        refusesRequests = true
        end = end ?? now + Self.grace
    }

    /// What was in flight at the end of the grace has been refused.
    mutating func refusedInFlight(now: Instant) {
        end = now + Self.refusalFlush
    }

    /// The `shutdown` request.
    mutating func shutDown(now: Instant) {
        shutDownTime = now
        refusesRequests = true
    }

    /// The `exit` notification: write what is answered, no longer than the grace, and go.
    mutating func exit(now: Instant) {
        inputHasEnded = true
        refusesRequests = true
        mustExit = true
        end = end ?? now + Self.grace
    }

    /// Nobody reads the answers any more.
    mutating func outputClosed() {
        isOutputClosed = true
    }

    func verdict(now: Instant, _ work: Work) -> Verdict {
        if isOutputClosed { return .exit }
        if let end {
            let isOver = now >= end
            if work.inFlight > 0, !mustExit { return isOver ? .refuseInFlight : .run(until: end) }
            return work.unwritten == 0 || isOver ? .exit : .run(until: end)
        }
        let isIdle = work.inFlight == 0 && !work.hasInput && work.unwritten == 0
        guard isIdle else { return .run(until: nil) }
        if inputHasEnded { return .exit }
        guard let shutDownTime else { return .run(until: nil) }
        let lingerEnd = max(work.lastAnswer, shutDownTime) + Self.shutdownLinger
        return now >= lingerEnd ? .exit : .run(until: lingerEnd)
    }
}
