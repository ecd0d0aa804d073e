import JSON
import Platform

/// The thread of a connection: waits for its descriptors and deals with what they bring.
struct ConnectionLoop: ~Copyable {
    /// Answers not read by the client, in bytes, at which reading stops until it catches up.
    static let maximumUnwritten = 8 << 20
    /// The ids and parameters of calls in flight, in bytes, at which reading stops until some have ended.
    static let maximumInFlightBytes = 8 << 20

    let connection: Connection
    var input = InputBuffer()
    var framing: any Framing
    /// As in `Connection.State`.
    private(set) var style = FrameStyle.line
    var lifecycle = Lifecycle()
    /// The batch whose members are being started.
    var batch: BatchCursor?
    /// When the loop began, or went on, to deal with its input, which had been read by then: the arrival of the requests
    /// that it starts now.
    private(set) var arrival = Instant(nanoseconds: 0)
    /// No message can be cut out of the input until more is read.
    private var needsMoreInput = true
    private var hasReadToEnd = false
    var nextNumber = 0
    /// Answers given at once, whole frames; queued together when the input is dealt with.
    var answers: [UInt8] = []
    var answerCounters = ConnectionCounters()

    init(_ connection: Connection) {
        self.connection = connection
        framing = connection.configuration.framing
    }

    private var configuration: Connection.Configuration { connection.configuration }

    mutating func run() -> ConnectionEnding {
        connection.state.withLock { $0.loopThread = pthread_self() }
        while true {
            let progress = dealWithInput()
            let now = configuration.clock.now
            switch lifecycle.verdict(now: now, flush(progress)) {
            case .exit:
                return lifecycle.ending
            case .dropInFlight:
                connection.dropCalls()
            case .refuseInFlight:
                connection.end(.shuttingDown, \.all)
                lifecycle.refusedInFlight(now: configuration.clock.now)
            case .run(let until):
                switch progress {
                case .stalled:
                    // The limit that stopped it may have been left just now, by a call that ended or by what was written.
                    // The loop is known to be waiting from `flush` on, so what comes after this look wakes it.
                    if mustPause() { wait(until: until, now: now, readsInput: false) }
                case .turnIsOver:
                    wait(until: now, now: now, readsInput: false)
                case .done:
                    wait(until: until, now: now, readsInput: !lifecycle.inputHasEnded)
                }
            }
        }
    }

    // MARK: Input

    /// Why the loop has stopped dealing with its input.
    private enum Progress {
        /// There is nothing that could be dealt with before more is read.
        case done
        /// A limit forbids to go on.
        case stalled
        /// It is time to look at the other descriptors.
        case turnIsOver
    }

    /// Deals with everything that was read, as far as the limits allow and a turn goes.
    private mutating func dealWithInput() -> Progress {
        arrival = configuration.clock.now
        var turn = Turn()
        while true {
            if answers.count >= Self.flushBytes { queueAnswers() }
            if lifecycle.mustExit, batch == nil {
                input.consume(input.bytes.count)
                return .done
            }
            if mustPause() { return .stalled }
            if turn.isOver { return .turnIsOver }
            if batch != nil {
                turn.count(bytes: startNextMember())
                continue
            }
            guard !needsMoreInput else { return .done }
            let before = input.bytes.count
            defer { turn.count(bytes: before - input.bytes.count) }
            switch framing.next(in: input.bytes, isEnd: hasReadToEnd) {
            case .incomplete:
                needsMoreInput = true
            case .skip(let count):
                input.consume(count)
            case .message(let range, let consumed):
                adoptStyle()
                dispatch(UnsafeBufferPointer(rebasing: input.bytes[range]), from: range.lowerBound, consumed: consumed)
            case .tooLong(let maximum, let consumed):
                adoptStyle()
                refuse(.invalidRequest("it is longer than \(configuration.limitNames.messageBytes), \(maximum) bytes"))
                input.consume(consumed)
            case .stop(let error):
                adoptStyle()
                refuse(error)
                input.consume(input.bytes.count)
                needsMoreInput = true
                lifecycle.inputEnded(.badFrame)
            }
        }
    }

    /// How much is dealt with before the loop looks at its other descriptors and at the time: whatever comes in, a signal
    /// is seen within a few milliseconds.
    private struct Turn {
        private var steps = 1_024
        private var bytes = 256 << 10

        var isOver: Bool { steps <= 0 || bytes <= 0 }

        mutating func count(bytes count: Int) {
            steps -= 1
            bytes -= count
        }
    }

    /// Answers are queued in pieces of about this size.
    private static let flushBytes = 64 << 10

    /// Whether a limit forbids to start anything now. While requests are refused anyway, nothing is started.
    private func mustPause() -> Bool {
        connection.state.withLock { state in
            let isFull =
                state.inFlight.count >= configuration.maximumInFlight
                || state.inFlight.bytes >= Self.maximumInFlightBytes
            // What a batch holds back is unread, too. The batch that is being started must not wait for itself.
            let held = batch == nil ? state.heldBytes : 0
            return isFull && !lifecycle.refusesRequests
                || state.output.count + answers.count + held >= Self.maximumUnwritten
        }
    }

    private mutating func adoptStyle() {
        guard framing.style != style else { return }
        style = framing.style
        connection.state.withLock { $0.style = style }
    }

    private mutating func read() {
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

    private mutating func endInput() {
        hasReadToEnd = true
        // The last line may lack its end.
        needsMoreInput = false
        lifecycle.inputEnded(.endOfInput)
    }

    // MARK: Output

    /// Writes what can be written, and says what is in hand.
    private mutating func flush(_ progress: Progress) -> Lifecycle.Work {
        queueAnswers()
        let hasInput = progress != .done || batch != nil
        let wakesOnFinish = progress == .stalled || lifecycle.inputHasEnded || lifecycle.refusesRequests
        let (work, error) = connection.state.withLock { state in
            state.write(to: connection.output)
            state.isLoopWaiting = true
            state.wakesOnFinish = wakesOnFinish
            let work = Lifecycle.Work(
                inFlight: state.inFlight.count, localInFlight: state.inFlight.localCount, hasInput: hasInput,
                unwritten: state.output.count,
                lastAnswer: state.lastAnswer)
            return (work, state.outputError)
        }
        if let error { closeOutput(error) }
        return work
    }

    /// Hands the answers that were given at once to the queue.
    private mutating func queueAnswers() {
        guard !answers.isEmpty || answerCounters.received > 0 else { return }
        // Refusals do not count, or a host that keeps asking would put off the end forever.
        let now = lifecycle.refusesRequests ? nil : configuration.clock.now
        connection.state.withLock { state in
            state.counters.add(answerCounters)
            guard !answers.isEmpty else { return }
            state.output.take(&answers)
            if let now { state.lastAnswer = now }
        }
        if answers.capacity > 4 * Self.flushBytes { answers = [] }
        answerCounters = ConnectionCounters()
    }

    private mutating func closeOutput(_ error: CInt) {
        // Both `poll` and a write tell it.
        guard !lifecycle.isOutputClosed else { return }
        configuration.report(.outputClosed(error))
        lifecycle.outputClosed(error)
    }

    // MARK: Waiting

    /// Sleeps until a descriptor has something, a call ends that matters, or the time has come.
    private mutating func wait(until: Instant?, now: Instant, readsInput: Bool) {
        let unwritten = connection.state.withLock { $0.output.count }
        var entries = [
            // While nothing is to be read, the descriptor is left out: its hang-up would not let us sleep.
            pollfd(fd: readsInput ? configuration.input : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: configuration.output, events: unwritten > 0 ? Int16(POLLOUT) : 0, revents: 0),
            pollfd(fd: connection.waker.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        if !lifecycle.isEnding {
            entries += configuration.stopDescriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        }
        // A milliseconds' fraction is rounded up, or the loop would spin through it.
        let timeout = until.map { CInt(clamping: max(0, ($0 - now).millisecondsRoundedUp)) } ?? -1
        let count = poll(&entries, nfds_t(entries.count), timeout)
        connection.state.withLock { $0.isLoopWaiting = false }
        guard count > 0 else { return }

        if entries[2].revents != 0 { connection.waker.reset() }
        if entries[1].revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { closeOutput(EPIPE) }
        if let stop = entries.dropFirst(3).first(where: { $0.revents != 0 }) {
            lifecycle.terminate(by: stop.fd, now: configuration.clock.now)
            configuration.report(.stopping)
        } else if entries[0].revents != 0 {
            read()
        }
    }
}
