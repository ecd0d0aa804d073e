import KMSJSON
import KMSPlatform

/// A JSON-RPC 2.0 server on two descriptors.
///
/// ```
///  input ─▶ InputBuffer ─▶ Framing ─▶ MessageReader ─▶ Method ──answerAtOnce──▶ AnswerQueue ─▶ output
///                                                        └─start─▶ Call ─finish─▶┘
/// ```
///
/// All of it happens on one event loop. In each turn the connection deals with what it has read, as far as its limits
/// allow, and writes the answers that are there by then with one system call. Calls may finish on any thread; their answers
/// come to the loop.
public final class Connection: EventSource, @unchecked Sendable {
    // Sendable: the loop and what is constant may be used by any thread. All other state belongs to the loop's thread; what
    // `Call` and the outside can reach checks that it is on it, and the loop calls `run` and `ready` there alone.

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
        /// Told what deserves a line in a log, on the loop: it must not wait.
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
    /// When the input that is dealt with now had been read: the arrival of the requests in it.
    private(set) var arrival = Instant(nanoseconds: 0)
    /// No message can be cut out of the input until more is read.
    private var needsMoreInput = true
    private var hasReadToEnd = false
    private var lastNumber = 0

    var answers = AnswerQueue()
    var inFlight = InFlightCalls()
    /// Requests and notifications read.
    var received = 0
    private var lastAnswer = Instant(nanoseconds: 0)

    private var inputWatch: EventLoop.Watch?
    private var outputWatch: EventLoop.Watch?
    private var stopWatches: [EventLoop.Watch] = []
    private var ending: ConnectionEnding?

    /// - Parameters:
    ///   - loop: the one that the methods need, too.
    ///   - methods: whose names differ.
    ///   - dialects: what is spoken beside JSON-RPC itself; of those that a message fits, the first.
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

    /// Serves until the input ends, the output is closed, the client says `exit`, or a stop descriptor fires; returns
    /// when every answer that can be written is written. The descriptors are the caller's again then: calls that are
    /// still in flight are aborted, and their answers go nowhere.
    ///
    /// It runs the loop, on the calling thread.
    ///
    /// - Returns: why it ended.
    /// - Precondition: called once.
    @discardableResult
    public func run() -> ConnectionEnding {
        loop.run { begin() }
        return end()
    }

    private func begin() {
        precondition(ending == nil && inputWatch == nil, "a connection serves once")
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

    /// What the connection has done so far. On the loop.
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

    /// Deals with the input, writes the answers, and sees to the end.
    ///
    /// - Returns: how long that can wait to be done again.
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

    /// Has the loop watch for what could help.
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

    /// Answers not read by the client, in bytes, at which reading stops until it catches up.
    static let maximumUnwritten = 8 << 20
    /// The ids and parameters of calls in flight, in bytes, at which reading stops until some have ended.
    static let maximumInFlightBytes = 8 << 20

    /// Why the connection has stopped dealing with its input.
    private enum Progress {
        /// There is nothing that could be dealt with before more is read.
        case done
        /// A limit forbids to go on.
        case stalled
        /// It is time for the loop to look at other things.
        case turnIsOver
    }

    /// How much is dealt with before the loop looks at its descriptors and at the time: whatever comes in, a signal is seen
    /// within a few milliseconds.
    private struct Turn {
        private var steps = 1_024
        private var bytes = 256 << 10

        var isOver: Bool { steps <= 0 || bytes <= 0 }

        mutating func count(bytes count: Int) {
            steps -= 1
            bytes -= count
        }
    }

    /// Deals with everything that was read, as far as the limits allow and a turn goes.
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
                .invalidRequest("it is longer than \(configuration.limitNames.messageBytes), \(maximum) bytes"))
            input.consume(consumed)
        case .stop(let error):
            answers.style = framing.style
            refuse(error)
            input.consume(input.bytes.count)
            needsMoreInput = true
            lifecycle.inputEnded(.badFrame)
        }
    }

    /// Whether a limit forbids to start anything now. While requests are refused anyway, nothing is started.
    private var mustPause: Bool {
        let isFull = inFlight.count >= configuration.maximumInFlight || inFlight.bytes >= Self.maximumInFlightBytes
        if isFull, !lifecycle.refusesRequests { return true }
        // What a batch holds back is unread, too. The batch that is being started must not wait for itself.
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
        // The last line may lack its end.
        needsMoreInput = false
        lifecycle.inputEnded(.endOfInput)
    }

    private func closeOutput(_ error: CInt) {
        // Both the loop and a write tell it.
        guard !lifecycle.isOutputClosed else { return }
        configuration.report(.outputClosed(error))
        lifecycle.outputClosed(error)
    }

    // MARK: Calls

    /// Begins a call, which is in flight until it is finished.
    ///
    /// - Parameter size: the bytes of its id and parameters.
    func beginCall(id: RequestID?, size: Int, place: AnswerPlace, _ dialect: CallDialect?) -> Call {
        lastNumber += 1
        return inFlight.insert(size: size) {
            Call(
                $0, number: lastNumber, id: id, arrival: arrival, place: place, dialect: dialect, connection: self)
        }
    }

    /// Ends a call with its answer, and gives what was in flight; nil if it had ended before.
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

    /// Answers calls with an error, and has their work aborted.
    func end(_ calls: [Call], with error: RPCError) {
        for call in calls { finish(call, call.answer(to: .failure(error)))?.abort?() }
    }

    /// Ends calls without an answer, and has their work aborted.
    func drop(_ calls: [Call]) {
        for call in calls {
            guard let ended = inFlight.remove(call) else { continue }
            if call.id != nil { answers.giveUp(call.place) }
            ended.abort?()
        }
    }

    /// Ends the calls in flight without an answer, and has their work aborted.
    private func dropCalls() {
        answers.dropBatches()
        for call in inFlight.removeAll() { call.abort?() }
    }

    /// Answers at once, which counts as the last answer unless requests are refused: a host that keeps asking would put off
    /// the end forever.
    func answer(
        _ id: some Collection<UInt8>, at place: AnswerPlace, isError: Bool, failure: RPCError?,
        _ body: (inout [UInt8]) -> Void
    ) {
        answers.add(id: id, at: place, isError: isError, failure: failure, body)
        if !lifecycle.refusesRequests { lastAnswer = arrival }
    }
}
