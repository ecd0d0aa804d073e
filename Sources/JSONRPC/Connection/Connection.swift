import JSON
import Platform

/// A JSON-RPC 2.0 server on two descriptors.
///
/// ```
///  input ─▶ InputBuffer ─▶ Framing ─▶ MessageReader ─▶ Method ──answerAtOnce──▶ OutputQueue ─▶ output
///           └──────────── ConnectionLoop, one thread ───┘  └─start─▶ Call ─finish─▶┘ (any thread)
/// ```
///
/// One thread, the caller of `run`, reads, cuts, parses and starts calls, and answers at once what it can. Calls finish
/// on any thread: the answer is queued whole, and written by whoever queued it, at once or at the end of `writingTogether`,
/// as far as that goes without waiting; the loop writes the rest. What both sides touch is `State`, under the one lock.
public final class Connection: Sendable {
    public struct Configuration: Sendable {
        /// The descriptor to read from. Its flags are left alone.
        public var input: CInt
        /// The descriptor to write to. Its flags are left alone.
        public var output: CInt
        public var framing: any Framing
        /// The members that a batch may have, ≥ 1.
        public var maximumBatchCount: Int
        /// What the errors call the limits, as users know them.
        public var limitNames: LimitNames
        /// The calls that may be in flight at once, ≥ 1; beyond that nothing is read.
        public var maximumInFlight: Int
        /// Descriptors that become readable when the connection is to end soon: signals, the end of a parent process.
        public var stopDescriptors: [CInt]
        public var clock: any TimeSource
        /// Told what deserves a line in a log. Called on the connection's thread and on those that finish calls; it must
        /// not wait.
        public var report: @Sendable (ConnectionEvent) -> Void

        public init(
            input: CInt, output: CInt, framing: any Framing, maximumBatchCount: Int = 1_000,
            limitNames: LimitNames = LimitNames(), maximumInFlight: Int = 1_024, stopDescriptors: [CInt] = [],
            clock: any TimeSource = SystemClock(),
            report: @escaping @Sendable (ConnectionEvent) -> Void = { _ in }
        ) {
            self.input = input
            self.output = output
            self.framing = framing
            self.maximumBatchCount = maximumBatchCount
            self.limitNames = limitNames
            self.maximumInFlight = maximumInFlight
            self.stopDescriptors = stopDescriptors
            self.clock = clock
            self.report = report
        }
    }

    /// What the errors call the limits that a message exceeds: the settings that change them.
    public struct LimitNames: Sendable {
        /// Of the bytes of a message.
        public var messageBytes: String
        /// Of the members of a batch.
        public var batchCount: String

        public init(messageBytes: String = "the maximum", batchCount: String = "the maximum") {
            self.messageBytes = messageBytes
            self.batchCount = batchCount
        }
    }

    let configuration: Configuration
    let methods: MethodTable
    let output: OutputDescriptor
    let state: Lock<State>
    let waker: Waker

    /// - Throws: `PlatformError` if the system has no descriptors left.
    public init(_ configuration: Configuration, methods: [any Method]) throws(PlatformError) {
        self.configuration = configuration
        self.methods = MethodTable(methods)
        output = OutputDescriptor(configuration.output)
        state = Lock(State())
        waker = try Waker()
    }

    /// What the connection has done so far.
    public var counters: ConnectionCounters {
        state.withLock { state in
            var counters = state.counters
            counters.inFlight = state.inFlight.count
            return counters
        }
    }

    /// Serves until the input ends, the output is closed, the client says `exit`, or a stop descriptor fires; returns
    /// when every answer that can be written is written. The descriptors are the caller's again then: calls that are
    /// still in flight are aborted, and their answers go nowhere.
    ///
    /// - Returns: why it ended.
    /// - Precondition: called once.
    @discardableResult
    public func run() -> ConnectionEnding {
        var loop = ConnectionLoop(self)
        let ending = loop.run()
        state.withLock { state in
            state.completeWrittenAnswer(to: output)
            state.isOver = true
        }
        dropCalls()
        return ending
    }

    /// Ends the calls in flight without an answer, and has their work aborted.
    func dropCalls() {
        let dropped = state.withLock { state in
            state.batches = [:]
            state.heldBytes = 0
            return state.inFlight.removeAll()
        }
        for call in dropped { call.abort?() }
    }

    // MARK: Calls, from any thread

    /// - Parameters:
    ///   - size: the bytes of its id and parameters.
    ///   - isLocal: as `Method.isLocal`.
    func register(_ call: Call, size: Int, isLocal: Bool, adding counters: ConnectionCounters) {
        state.withLock { state in
            state.inFlight.insert(call, size: size, isLocal: isLocal)
            state.counters.add(counters)
        }
    }

    /// Ends a call with its answer, and gives what was in flight; nil if it had ended before.
    @discardableResult
    func finish(_ call: Call, error: RPCError?, _ body: (inout JSONWriter) -> Void) -> InFlightCall? {
        var json = JSONWriter()
        body(&json)
        return finish(call, error: error, json.bytes)
    }

    /// - Parameter json: the result, or the error's object.
    @discardableResult
    func finish(_ call: Call, error: RPCError?, _ json: [UInt8]) -> InFlightCall? {
        let (ended, mustWake) = state.withLock { state -> (InFlightCall?, Bool) in
            guard let ended = state.inFlight.remove(call) else { return (nil, false) }
            if let id = call.id {
                state.answer(id: id, at: call.place, error, json, now: configuration.clock.now)
            }
            // The loop itself writes when it has dealt with all of its input.
            if state.loopThread.isThisThread || state.collectingThread.isThisThread { return (ended, false) }
            return (ended, state.writeAndTellWhetherToWake(output))
        }
        if mustWake { waker.wake() }
        if ended != nil, call.id == nil, let error { configuration.report(.notificationDropped(error)) }
        return ended
    }

    /// Writes the answers to all calls that `body` finishes on this thread together, after it: one system call in place
    /// of many. One thread at a time can have this; what another finishes meanwhile is written at once.
    public func writingTogether(_ body: () -> Void) {
        let isCollecting = state.withLock { state in
            guard state.collectingThread == nil else { return false }
            state.collectingThread = pthread_self()
            return true
        }
        body()
        guard isCollecting else { return }
        let mustWake = state.withLock { state in
            state.collectingThread = nil
            return state.writeAndTellWhetherToWake(output)
        }
        if mustWake { waker.wake() }
    }

    func onCancellation(of call: Call, _ abort: @escaping @Sendable () -> Void) {
        let isInFlight = state.withLock { $0.inFlight.setAbort(of: call, abort) }
        if !isInFlight { abort() }
    }

    /// Answers calls with an error, and has their work aborted.
    func end(_ error: RPCError, _ calls: (InFlightCalls) -> [Call]) {
        var json = JSONWriter()
        json.value(error)
        for call in state.withLock({ calls($0.inFlight) }) {
            // The abort is taken along with the call: it may have been registered just now, and it must not run if
            // another thread has just answered.
            finish(call, error: error, json.bytes)?.abort?()
        }
    }
}

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

extension pthread_t? {
    fileprivate var isThisThread: Bool { map { pthread_equal($0, pthread_self()) != 0 } ?? false }
}

extension Connection {
    /// What the loop and the threads that finish calls share.
    struct State: Sendable {
        var output = OutputQueue()
        var style = FrameStyle.line
        var outputError: CInt?
        var inFlight = InFlightCalls()
        var batches: [Int: BatchAnswers] = [:]
        /// The size of the answers that wait in `batches` for others.
        var heldBytes = 0
        var counters = ConnectionCounters()
        var lastAnswer = Instant(nanoseconds: 0)
        var loopThread: pthread_t?
        /// The thread in `writingTogether`.
        var collectingThread: pthread_t?
        /// `run` has returned: the descriptors are no longer ours.
        var isOver = false
        /// The loop sleeps, or is about to.
        var isLoopWaiting = false
        /// The end of a call changes what the loop waits for.
        var wakesOnFinish = false

        /// Queues an answer, or puts it into its batch.
        mutating func answer(id: [UInt8], at place: AnswerPlace, _ error: RPCError?, _ body: [UInt8], now: Instant) {
            counters.countAnswer(error)
            lastAnswer = now
            switch place {
            case .single:
                output.append(style: style) { Answer.append(to: &$0, id: id, isError: error != nil, body: body) }
            case .batch(let number, let slot):
                var answer: [UInt8] = []
                Answer.append(to: &answer, id: id, isError: error != nil, body: body)
                batches[number]?.fill(slot, with: answer)
                heldBytes += answer.count
                finishBatch(number)
            }
        }

        /// Queues the answer to a batch, if it is complete.
        mutating func finishBatch(_ number: Int) {
            guard let batch = batches[number], batch.isComplete else { return }
            batches[number] = nil
            heldBytes -= batch.heldBytes
            if !batch.isEmpty { output.append(style: style) { batch.append(to: &$0) } }
        }

        mutating func write(to descriptor: OutputDescriptor) {
            if outputError == nil, !isOver { outputError = output.write(to: descriptor) }
        }

        /// At the end: what was not written is dropped, but not the rest of an answer that was written in part.
        mutating func completeWrittenAnswer(to descriptor: OutputDescriptor) {
            if outputError == nil { output.completeWrittenAnswer(to: descriptor, style: style) }
        }

        /// For the threads that finish calls: writes, and tells whether the loop has to look at what came of it.
        mutating func writeAndTellWhetherToWake(_ descriptor: OutputDescriptor) -> Bool {
            write(to: descriptor)
            let isNews = wakesOnFinish || output.count > 0 || outputError != nil
            return isLoopWaiting && isNews
        }
    }
}

/// The text of one answer.
enum Answer {
    static func append(
        to bytes: inout [UInt8], id: some Collection<UInt8>, isError: Bool, body: some Collection<UInt8>
    ) {
        appendHead(to: &bytes, id: id, isError: isError)
        bytes.append(contentsOf: body)
        bytes.append(UInt8(ascii: "}"))
    }

    static func appendHead(to bytes: inout [UInt8], id: some Collection<UInt8>, isError: Bool) {
        append("{\"jsonrpc\":\"2.0\",\"id\":", to: &bytes)
        bytes.append(contentsOf: id)
        append(isError ? ",\"error\":" : ",\"result\":", to: &bytes)
    }

    private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
