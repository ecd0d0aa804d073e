import KMSPlatform

/// When a connection ends, and how: a value that is told what happened and says what to do.
struct Lifecycle: Sendable {
    /// How long what is in flight has to finish after a signal.
    static let grace = Duration.seconds(1)
    /// How long the refusals have to be written after the grace: together they may be more than a pipe holds, so the
    /// reader must get to run.
    static let refusalFlush = Duration.milliseconds(500)
    /// How long a host has, after `shutdown` and the last answer, to say `exit` or to close its pipe.
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
        /// End everything in flight without an answer, and ask again.
        case dropInFlight
        case exit
    }

    /// New requests are answered with `RPCError.shuttingDown`.
    private(set) var refusesRequests = false
    /// Nothing after the `exit` notification is dealt with.
    private(set) var mustExit = false
    /// Why the output is closed, if it is.
    private var outputError: CInt?
    /// Why the input is at its end, if it is.
    private var inputEnding: ConnectionEnding?
    /// What asked for the end, if anything did.
    private var stopDescriptor: CInt?
    /// The end of the grace, once there is one.
    private var end: Instant?
    /// When the `shutdown` request came.
    private var shutDownTime: Instant?

    /// A signal, or the end of the parent process, has come.
    var isStopped: Bool { stopDescriptor != nil }
    var inputHasEnded: Bool { inputEnding != nil }
    var isOutputClosed: Bool { outputError != nil }

    /// Why it ends, when it does: what came last, as it cut short what came before.
    var ending: ConnectionEnding {
        if let outputError { return .outputClosed(outputError) }
        if let stopDescriptor { return .stopped(by: stopDescriptor) }
        if mustExit { return .exit }
        return inputEnding ?? .shutdown
    }

    /// The end is near, and nothing brings it nearer: a stop descriptor need not be watched any more.
    var isEnding: Bool { end != nil }

    /// The stream of requests is at its end: finish everything, wait for a slow reader, exit.
    ///
    /// - Parameter ending: how it came to its end.
    mutating func inputEnded(_ ending: ConnectionEnding) {
        inputEnding = inputEnding ?? ending
    }

    /// A signal, or the end of the parent process: read nothing more, and finish within the grace.
    ///
    /// - Parameter descriptor: the stop descriptor that told it.
    mutating func terminate(by descriptor: CInt, now: Instant) {
        inputEnded(.stopped(by: descriptor))
        refusesRequests = true
        stopDescriptor = stopDescriptor ?? descriptor
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

    /// The `exit` notification: drop the calls in flight, write what is answered, however slowly it is read, and go.
    mutating func exit() {
        inputEnded(.exit)
        refusesRequests = true
        mustExit = true
    }

    /// Nobody reads the answers any more: writing fails with that error number.
    mutating func outputClosed(_ errorNumber: CInt) {
        outputError = outputError ?? errorNumber
    }

    func verdict(now: Instant, _ work: Work) -> Verdict {
        if isOutputClosed { return .exit }
        // If the `exit` is a member of a batch, the rest of that batch is answered first.
        if mustExit, work.inFlight > 0, !work.hasInput { return .dropInFlight }
        if let end {
            let isOver = now >= end
            if work.inFlight > 0, !mustExit { return isOver ? .refuseInFlight : .run(until: end) }
            let isDone = work.inFlight == 0 && work.unwritten == 0 && !work.hasInput
            return isDone || isOver ? .exit : .run(until: end)
        }
        let isIdle = work.inFlight == 0 && !work.hasInput && work.unwritten == 0
        guard isIdle else { return .run(until: nil) }
        if inputHasEnded { return .exit }
        guard let shutDownTime else { return .run(until: nil) }
        let lingerEnd = max(work.lastAnswer, shutDownTime) + Self.shutdownLinger
        return now >= lingerEnd ? .exit : .run(until: lingerEnd)
    }
}
