import KMSPlatform

/// Decides when and how a connection ends: a value that receives events and returns verdicts.
struct Lifecycle: Sendable {
    /// How long calls in flight may continue after a stop.
    static let grace = Duration.seconds(1)
    /// How much time there is to write refusals after the grace period: together they may exceed a pipe's capacity, so
    /// the reader needs time to run.
    static let refusalFlush = Duration.milliseconds(500)
    /// How long a host may take, after `shutdown` and the last answer, to send `exit` or close its pipe.
    static let shutdownLinger = Duration.seconds(2)

    /// The connection's current work.
    struct Work: Equatable {
        /// Calls that were started and have not finished.
        var inFlight: Int
        /// Whether there is input that was read and may still need an answer.
        var hasInput: Bool
        /// Bytes of answers that have not been written.
        var unwritten: Int
        var lastAnswer: Instant
    }

    enum Verdict: Equatable {
        /// Continue; ask again at this time at the latest.
        case run(until: Instant?)
        /// Answer everything in flight with `RPCError.shuttingDown`, then ask again.
        case refuseInFlight
        /// End everything in flight without an answer, then ask again.
        case dropInFlight
        case exit
    }

    /// Whether new requests are answered with `RPCError.shuttingDown`.
    private(set) var refusesRequests = false
    /// Whether `exit` has arrived; nothing after it is handled.
    private(set) var mustExit = false
    /// Why the output is closed, if it is.
    private var outputError: CInt?
    /// Why the input has ended, if it has.
    private var inputEnding: ConnectionEnding?
    /// The stop descriptor that requested the end, if one did.
    private var stopDescriptor: CInt?
    /// The end of the grace period, once it has begun.
    private var end: Instant?
    /// When the `shutdown` request arrived.
    private var shutDownTime: Instant?

    /// Whether a signal has arrived, or the parent process has ended.
    var isStopped: Bool { stopDescriptor != nil }
    var inputHasEnded: Bool { inputEnding != nil }
    var isOutputClosed: Bool { outputError != nil }

    /// Why the connection ends: the latest reason, because it cut the earlier ones short.
    var ending: ConnectionEnding {
        if let outputError { return .outputClosed(outputError) }
        if let stopDescriptor { return .stopped(by: stopDescriptor) }
        if mustExit { return .exit }
        return inputEnding ?? .shutdown
    }

    /// Whether the grace period has begun. A stop descriptor can't shorten it, and need not be watched any more.
    var isEnding: Bool { end != nil }

    /// The requests have ended: finish everything, wait for a slow reader, then end.
    ///
    /// - Parameter ending: why they ended.
    mutating func inputEnded(_ ending: ConnectionEnding) {
        inputEnding = inputEnding ?? ending
    }

    /// A stop, by a signal or the end of the parent process: read nothing more, and finish within the grace period.
    ///
    /// - Parameter descriptor: the stop descriptor that became readable.
    mutating func terminate(by descriptor: CInt, now: Instant) {
        inputEnded(.stopped(by: descriptor))
        refusesRequests = true
        stopDescriptor = stopDescriptor ?? descriptor
        end = end ?? now + Self.grace
    }

    /// The calls that were in flight at the end of the grace period have been refused.
    mutating func refusedInFlight(now: Instant) {
        end = now + Self.refusalFlush
    }

    /// The `shutdown` request has arrived.
    mutating func shutDown(now: Instant) {
        shutDownTime = now
        refusesRequests = true
    }

    /// The `exit` notification has arrived: drop the calls in flight, write all answers, however slow the reader is,
    /// then end.
    mutating func exit() {
        inputEnded(.exit)
        refusesRequests = true
        mustExit = true
    }

    /// Nobody reads the answers any more: writing failed with this error number.
    mutating func outputClosed(_ errorNumber: CInt) {
        outputError = outputError ?? errorNumber
    }

    func verdict(now: Instant, _ work: Work) -> Verdict {
        if isOutputClosed { return .exit }
        // If `exit` is a member of a batch, the rest of that batch is answered first.
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
