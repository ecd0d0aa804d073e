import KMSJSON
import KMSPlatform

/// A JSON-RPC 2.0 server on two descriptors.
///
/// The terms of this module:
/// - frame: a message with what delimits it in the byte stream: a line feed, or headers
/// - message: a request, a notification (a request without an id), a response, or something invalid
/// - call: a request or notification that a method is working on, from its arrival to its end; in flight until finished
/// - answer: the response to a request; a result or an error
/// - batch: several messages in one array, answered together; its elements are members
/// - held: an answer that waits for others of its batch; unwritten: an answer that the client has not taken yet
/// - stall: reading stops because of a limit; stop: the end is requested from outside, by a stop descriptor
/// - grace period: the time for calls in flight after a stop
/// - dialect: another protocol on the same connection, translated into calls of the same methods
///
/// ```
///  input ─▶ InputBuffer ─▶ Framing ─▶ MessageReader ─▶ Method ──answerAtOnce──▶ AnswerQueue ─▶ output
///                                                        └─start─▶ Call ─finish─▶┘
/// ```
///
/// Everything happens on one event loop. In each turn the connection handles what it has read, as far as its limits
/// allow, and writes the available answers with one system call. Calls may finish on any thread; their answers are
/// handed to the loop.
public final class Connection: EventSource, @unchecked Sendable {
    // Sendable: any thread may use the loop and the constants. All other state belongs to the loop's thread: everything
    // that `Call` and other code can reach asserts that it runs there, and only the loop calls `run` and `ready`.

    /// What a connection reads from and writes to, and its limits.
    public struct Configuration: Sendable {
        /// The descriptor to read from. Its flags are not changed.
        public var input: CInt
        /// The descriptor to write to. Its flags are not changed.
        public var output: CInt
        /// How messages are delimited on both descriptors.
        public var framing: any Framing
        /// The maximum number of members in a batch, ≥ 1.
        public var maximumBatchCount: Int
        /// The names of the limits in error messages, as users know them.
        public var limitNames: LimitNames
        /// The maximum number of calls in flight, ≥ 1; at the limit nothing is read.
        public var maximumInFlight: Int
        /// Descriptors that become readable when the connection should end soon: signals, the end of a parent process.
        public var stopDescriptors: [CInt]
        /// For arrivals, and for the times at the end of the connection.
        public var clock: any TimeSource
        /// Receives events worth a log line, on the loop; it must not block.
        public var report: @Sendable (ConnectionEvent) -> Void

        public init(
            input: CInt, output: CInt, framing: any Framing, maximumBatchCount: Int, maximumInFlight: Int,
            limitNames: LimitNames = LimitNames(), stopDescriptors: [CInt] = [],
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

    /// The names of the limits in error messages: the settings that change them.
    public struct LimitNames: Sendable {
        /// The limit of a message's bytes.
        public var messageBytes: String
        /// The limit of a batch's members.
        public var batchCount: String

        public init(messageBytes: String = "the maximum", batchCount: String = "the maximum") {
            self.messageBytes = messageBytes
            self.batchCount = batchCount
        }
    }

    /// The loop that the connection runs on.
    public let loop: EventLoop
    let configuration: Configuration
    let methods: MethodTable
    let dialects: [any Dialect]
    private let output: OutputDescriptor

    var input = InputBuffer()
    var framing: any Framing
    var lifecycle = Lifecycle()
    /// The batch whose members are being started.
    var batch: BatchCursor?
    /// When the input that is being handled was read, which is the arrival of its requests.
    private(set) var arrival = Instant(nanoseconds: 0)
    /// Whether the input contains no complete frame.
    private var needsMoreInput = true
    private var hasReadToEnd = false
    private var lastNumber = 0

    var answers = AnswerQueue()
    var inFlight = InFlightCalls()
    /// Requests and notifications that have been read.
    var received = 0
    private var lastAnswer = Instant(nanoseconds: 0)

    private var inputWatch: EventLoop.Watch?
    private var outputWatch: EventLoop.Watch?
    private var stopWatches: [EventLoop.Watch] = []
    private var ending: ConnectionEnding?

    /// - Parameters:
    ///   - loop: the loop, which the methods use, too.
    ///   - methods: must have different names.
    ///   - dialects: other protocols on the same stream; the first one that a message belongs to handles it.
    public init(
        _ configuration: Configuration, on loop: EventLoop, methods: [any Method], dialects: [any Dialect] = []
    ) {
        self.configuration = configuration
        self.loop = loop
        self.methods = MethodTable(methods)
        self.dialects = dialects
        framing = configuration.framing
        output = OutputDescriptor(configuration.output)
    }

    /// Serves until the input ends, the output is closed, the client sends `exit`, or a stop descriptor becomes
    /// readable; returns when every answer that can be written has been written. Afterwards the caller may use the
    /// descriptors: calls still in flight are aborted, and their answers are dropped.
    ///
    /// Runs the loop on the calling thread.
    ///
    /// - Returns: why it ended.
    /// - Precondition: called once.
    @discardableResult
    public func run() -> ConnectionEnding {
        loop.run { begin() }
        return end()
    }

    private func begin() {
        precondition(ending == nil && inputWatch == nil, "a connection can serve only once")
        inputWatch = loop.watch(configuration.input, for: nil, isUrgent: true, by: self)
        outputWatch = loop.watch(configuration.output, for: [], isUrgent: true, by: self)
        stopWatches = configuration.stopDescriptors.map {
            loop.watch($0, for: .readable, isUrgent: true, by: self)
        }
        loop.add(self, isFirst: true)
    }

    private func end() -> ConnectionEnding {
        loop.remove(self)
        answers.completeWrittenAnswer(to: output)
        dropCalls()
        return ending ?? lifecycle.ending
    }

    /// The connection's counters. On the loop.
    public var counters: ConnectionCounters {
        loop.checkIsolated()
        var counters = answers.answered
        counters.received = received
        counters.inFlight = inFlight.count
        return counters
    }

    // MARK: The loop

    public func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {
        if watch == inputWatch {
            read()
        } else if watch == outputWatch {
            if !events.isDisjoint(with: .closed) { closeOutput(EPIPE) }
        } else if !lifecycle.isEnding {
            lifecycle.terminate(by: watch.descriptor, now: configuration.clock.now)
            configuration.report(.stopping)
            drop(inFlight.all.filter { $0.dialect?.isSilentAtStop ?? false })
        }
    }

    /// Handles the input, writes the answers, and ends the connection when it is time.
    ///
    /// - Returns: how long it can wait until the next run.
    public func run() -> Duration? {
        while true {
            let progress = dealWithInput()
            if let error = answers.write(to: output) { closeOutput(error) }
            let now = configuration.clock.now
            let work = Lifecycle.Work(
                inFlight: inFlight.count, hasInput: progress != .done || batch != nil, unwritten: answers.unwritten,
                lastAnswer: lastAnswer)
            switch lifecycle.verdict(now: now, work) {
            case .exit:
                ending = lifecycle.ending
                loop.stop()
                return nil
            case .dropInFlight:
                dropCalls()
            case .refuseInFlight:
                end(inFlight.all, with: .shuttingDown)
                lifecycle.refusedInFlight(now: configuration.clock.now)
            case .run(let until):
                watch(progress)
                if progress == .turnIsOver || progress == .stalled && !mustPause { return .zero }
                return until.map { max($0 - now, .zero) }
            }
        }
    }

    /// Watches for the events that allow progress.
    private func watch(_ progress: Progress) {
        guard let inputWatch, let outputWatch else { return }
        let readsInput = progress == .done && !lifecycle.inputHasEnded
        loop.change(inputWatch, to: readsInput ? .readable : nil)
        loop.change(outputWatch, to: answers.unwritten > 0 ? .writable : [])
        guard lifecycle.isEnding, !stopWatches.isEmpty else { return }
        for watch in stopWatches { loop.remove(watch) }
        stopWatches = []
    }

    // MARK: Input

    /// The size of unread answers, in bytes, at which reading stops until the client catches up.
    static let maximumUnwritten = 8 << 20
    /// The size of the ids and parameters of calls in flight, in bytes, at which reading stops until some calls end.
    static let maximumInFlightBytes = 8 << 20

    /// Why the connection has stopped handling its input.
    private enum Progress {
        /// Nothing can be handled before more is read.
        case done
        /// A limit has been reached.
        case stalled
        /// The loop must have a chance to do other things.
        case turnIsOver
    }

    /// How much is handled before the loop polls its descriptors and reads the clock, so that a signal is noticed
    /// within a few milliseconds, whatever arrives.
    private struct Turn {
        private var steps = 1_024
        private var bytes = 256 << 10

        var isOver: Bool { steps <= 0 || bytes <= 0 }

        mutating func count(bytes count: Int) {
            steps -= 1
            bytes -= count
        }
    }

    /// Handles everything that has been read, within the limits and the turn.
    private func dealWithInput() -> Progress {
        guard !needsMoreInput || batch != nil || lifecycle.mustExit else { return .done }
        arrival = configuration.clock.now
        var turn = Turn()
        while true {
            if lifecycle.mustExit, batch == nil {
                input.consume(input.bytes.count)
                return .done
            }
            if mustPause { return .stalled }
            if turn.isOver { return .turnIsOver }
            if batch != nil {
                turn.count(bytes: startNextMember())
                continue
            }
            guard !needsMoreInput else { return .done }
            let before = input.bytes.count
            dealWithNextMessage()
            turn.count(bytes: before - input.bytes.count)
        }
    }

    private func dealWithNextMessage() {
        switch framing.next(in: input.bytes, isEnd: hasReadToEnd) {
        case .incomplete:
            needsMoreInput = true
        case .skip(let count):
            input.consume(count)
        case .message(let range, let consumed):
            answers.style = framing.style
            dispatch(UnsafeBufferPointer(rebasing: input.bytes[range]), from: range.lowerBound, consumed: consumed)
        case .tooLong(let maximum, let consumed):
            answers.style = framing.style
            refuse(
                .invalidRequest("it exceeds \(configuration.limitNames.messageBytes), \(maximum) bytes"))
            input.consume(consumed)
        case .stop(let error):
            answers.style = framing.style
            refuse(error)
            input.consume(input.bytes.count)
            needsMoreInput = true
            lifecycle.inputEnded(.badFrame)
        }
    }

    /// Whether a limit prevents starting anything now. While requests are refused, nothing is started anyway.
    private var mustPause: Bool {
        let isFull = inFlight.count >= configuration.maximumInFlight || inFlight.bytes >= Self.maximumInFlightBytes
        if isFull, !lifecycle.refusesRequests { return true }
        // Answers that batches hold count, too, except while a batch is being started: it must not wait for itself.
        return (batch == nil ? answers.bytes : answers.unwritten) >= Self.maximumUnwritten
    }

    private func read() {
        switch input.read(from: configuration.input) {
        case .bytes:
            needsMoreInput = false
        case .end:
            endInput()
        case .wouldBlock:
            break
        case .failed(let number):
            configuration.report(.inputFailed(number))
            endInput()
        }
    }

    private func endInput() {
        hasReadToEnd = true
        // The last line may lack its line feed.
        needsMoreInput = false
        lifecycle.inputEnded(.endOfInput)
    }

    private func closeOutput(_ error: CInt) {
        // Both the loop and a failed write report it.
        guard !lifecycle.isOutputClosed else { return }
        configuration.report(.outputClosed(error))
        lifecycle.outputClosed(error)
    }

    // MARK: Calls

    /// Begins a call, which is in flight until it is finished.
    ///
    /// - Parameter size: the size of its id and parameters, in bytes.
    func beginCall(id: RequestID?, size: Int, place: AnswerPlace, _ dialect: CallDialect?) -> Call {
        lastNumber += 1
        return inFlight.insert(size: size) {
            Call(
                $0, number: lastNumber, id: id, arrival: arrival, place: place, dialect: dialect, connection: self)
        }
    }

    /// Ends a call with its answer.
    ///
    /// - Returns: the call's entry; nil if it has already ended.
    @discardableResult
    func finish(_ call: Call, _ answer: Answer) -> InFlightCall? {
        loop.checkIsolated()
        guard let ended = inFlight.remove(call) else { return nil }
        if let id = call.id {
            answers.add(id: id, at: call.place, answer)
            lastAnswer = configuration.clock.now
        } else if let error = answer.failure {
            configuration.report(.notificationDropped(error))
        }
        loop.run(self)
        return ended
    }

    func onCancellation(of call: Call, _ abort: @escaping @Sendable () -> Void) {
        loop.checkIsolated()
        if !inFlight.setAbort(of: call, abort) { abort() }
    }

    /// Answers calls with an error, and aborts their work.
    func end(_ calls: [Call], with error: RPCError) {
        for call in calls { finish(call, call.answer(to: .failure(error)))?.abort?() }
    }

    /// Ends calls without an answer, and aborts their work.
    func drop(_ calls: [Call]) {
        for call in calls {
            guard let ended = inFlight.remove(call) else { continue }
            if call.id != nil { answers.giveUp(call.place) }
            ended.abort?()
        }
    }

    /// Ends the calls in flight without an answer, and aborts their work.
    private func dropCalls() {
        answers.dropBatches()
        for call in inFlight.removeAll() { call.abort?() }
    }

    /// Answers at once. While requests are refused, this does not count as the last answer: otherwise a host that keeps
    /// sending requests would postpone the end forever.
    func answer(
        _ id: some Collection<UInt8>, at place: AnswerPlace, isError: Bool, failure: RPCError?,
        _ body: (inout [UInt8]) -> Void
    ) {
        answers.add(id: id, at: place, isError: isError, failure: failure, body)
        if !lifecycle.refusesRequests { lastAnswer = arrival }
    }
}
