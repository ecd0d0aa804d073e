import KMSPlatform

/// The connection to the shared engine: connects, logs in, sends commands and matches the replies to them.
///
/// It counts as connected once the engine has answered: the login, or without a password `TIME`, which the scripts need
/// anyway. Otherwise a stopped engine, or a server of another kind, would count as connected until the first time-out.
///
/// It decides neither when to open nor what a reply means. It gives up an engine that is slow, or whose replies it does
/// not understand: a late reply belongs to nobody.
///
/// Not `Sendable`: everything happens on the loop.
final class EngineConnection: EventSource {
    enum Event {
        /// The engine has answered: commands may be sent.
        case connected
        /// It is closed; commands that were waiting get no reply. The handler may call `open` again, then or later.
        case lost(EngineLoss)
    }

    private enum State {
        case closed
        /// It could not even be begun.
        case failed(EngineLoss)
        /// - Parameter attempt: how often it found the backlog full.
        case connecting(SecretBytes?, attempt: Int)
        /// Too many connections wait to be accepted. It tries again at `retry`.
        case backlogFull(SecretBytes?, attempt: Int, retry: Instant)
        case loggingIn
        /// Without a login: has asked for the time.
        case greeting
        case connected
    }

    private struct Pending {
        let command: EngineCommand
        let completion: (EngineReply) -> Void
        let sent: Instant
        let deadline: Instant
        /// Whether a script's source was sent.
        var hasSource: Bool
    }

    /// For the name, TCP, TLS and the login or the greeting together; and for the first answers, too, if the connection is
    /// awaited. Of many processes that start at once, most wait for a processor meanwhile.
    static let longestOpening = Duration.milliseconds(1_000)
    /// The pause before it tries again, within that time, to connect to a Unix socket whose backlog is full; doubled each
    /// time, up to the longest. A thousand processes that start at once fill an engine's (511 by default) while it waits for
    /// a processor.
    static let shortestBacklogPause = Duration.milliseconds(10)
    static let longestBacklogPause = Duration.milliseconds(160)

    private let configuration: SharedStateConfiguration
    private let multi: CurlMulti
    private let loop: EventLoop
    private let clock: any TimeSource
    private let needsTime: Bool
    private let random: () -> Double
    private let handler: (Event) -> Void
    private var authorities: CertificateAuthorities?

    private var state = State.closed
    private var stream: CurlStream?
    private var reader = EngineReplyReader()
    private var openingEnd = Instant.distantFuture
    /// Until then no answer is late; nil if nobody waits for the connection.
    private var answersEnd: Instant?
    /// The commands of this turn, as they are sent.
    private var unsent: [UInt8] = []
    private var pending = Queue<Pending>()

    /// - Parameters:
    ///   - needsTime: whether an engine whose user may not run `TIME`, as the scripts do, counts as lost at once.
    ///   - random: returns a number in 0..<1.
    ///   - handler: called on the loop.
    init(
        _ configuration: SharedStateConfiguration, multi: CurlMulti, loop: EventLoop, clock: any TimeSource,
        needsTime: Bool = true, random: @escaping () -> Double, handler: @escaping (Event) -> Void
    ) {
        self.configuration = configuration
        self.multi = multi
        self.loop = loop
        self.clock = clock
        self.needsTime = needsTime
        self.random = random
        self.handler = handler
    }

    // MARK: Opening and closing

    /// Begins to connect, if it is closed. Unless you call `close`, one event follows, after this returns, and later a loss.
    ///
    /// - Parameter isAwaited: whether somebody waits for it. Otherwise it was lost before: the first command shows whether
    ///   the engine is fast enough again, and costs no more than any other.
    func open(isAwaited: Bool) {
        guard case .closed = state else { return }
        loop.add(self)
        do throws(EngineLoss) {
            let password = try configuration.password.read()
            reader = EngineReplyReader()
            openingEnd = clock.now + Self.longestOpening
            answersEnd = isAwaited ? openingEnd : nil
            try connect(password, attempt: 0)
        } catch {
            state = .failed(error)
        }
    }

    private func connect(_ password: SecretBytes?, attempt: Int) throws(EngineLoss) {
        stream = try makeStream()
        state = .connecting(password, attempt: attempt)
    }

    private func makeStream() throws(EngineLoss) -> CurlStream {
        let identity = try configuration.readIdentity()
        do {
            if configuration.address.usesTLS, authorities == nil {
                authorities = CertificateAuthorities(
                    file: configuration.caFile, system: try CurlEnvironment.ready().systemAuthorities)
            }
            return try CurlStream(
                to: configuration.address.peer(identity: identity), authorities: authorities,
                longestConnect: Self.longestOpening, multi: multi, loop: loop
            ) { [weak self] in self?.take($0) }
        } catch let failure as TransportFailure {
            throw EngineLoss(failure)
        } catch {
            throw EngineLoss(kind: .refused, message: "\(error)")
        }
    }

    /// Closes it without an event. Commands that wait get no reply.
    func close() {
        stream?.close()
        stream = nil
        unsent = []
        pending = Queue()
        state = .closed
        loop.remove(self)
    }

    private func lose(_ loss: EngineLoss) {
        close()
        handler(.lost(loss))
    }

    // MARK: Commands

    /// Sends a command, together with the others of this turn. Does nothing unless connected.
    ///
    /// - Parameter completion: gets the reply, unless the connection is lost or closed before.
    func send(_ command: EngineCommand, _ completion: @escaping (EngineReply) -> Void) {
        let now = clock.now
        send(
            Pending(
                command: command, completion: completion, sent: now,
                deadline: max(now + configuration.commandTimeout, answersEnd ?? now), hasSource: false))
    }

    private func send(_ question: Pending) {
        guard case .connected = state else { return }
        question.command.withFormatted(withSource: question.hasSource) { unsent.append(contentsOf: $0) }
        pending.append(question)
        loop.run(self)
    }

    // MARK: The loop

    func run() -> Duration? {
        if case .failed(let loss) = state {
            lose(loss)
            return nil
        }
        if case .backlogFull(let password, let attempt, let retry) = state, retry <= clock.now, clock.now < openingEnd {
            do throws(EngineLoss) {
                try connect(password, attempt: attempt)
            } catch {
                lose(error)
                return nil
            }
        }
        guard flush(), let deadline else { return nil }
        if deadline <= clock.now {
            // This process may have been stopped, with the reply waiting in the socket.
            stream?.receive()
            if let deadline = self.deadline, deadline <= clock.now { lose(delay) }
        }
        return nextDue.map { max($0 - clock.now, .zero) }
    }

    /// Never called: the stream watches its socket.
    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {}

    private var deadline: Instant? {
        switch state {
        case .closed, .failed: nil
        case .connecting, .backlogFull, .loggingIn, .greeting: openingEnd
        case .connected: pending.first?.deadline
        }
    }

    private var nextDue: Instant? {
        if case .backlogFull(_, _, let retry) = state { min(retry, openingEnd) } else { deadline }
    }

    private var delay: EngineLoss {
        let address = configuration.address
        switch state {
        case .connecting(_, attempt: 0): if let stream { return EngineLoss(stream.delay) }
        case .connecting, .backlogFull: return fullBacklog
        case .closed, .failed, .loggingIn, .greeting, .connected: break
        }
        let (limit, what) =
            if let question = pending.first { (question.deadline - question.sent, "answer a command") } else {
                (Self.longestOpening, "connect and answer")
            }
        return EngineLoss(
            kind: .unreachable, message: "\(address) took longer than \(limit.milliseconds) ms to \(what)")
    }

    /// Writes the commands of this turn, which otherwise happens at its end.
    ///
    /// - Returns: whether the connection lives.
    @discardableResult
    func flush() -> Bool {
        guard let stream, !unsent.isEmpty else { return true }
        do throws(TransportFailure) {
            try unsent.withUnsafeBufferPointer { bytes throws(TransportFailure) in
                try stream.write(UnsafeRawBufferPointer(bytes))
            }
            unsent.removeAll(keepingCapacity: true)
            return true
        } catch {
            lose(EngineLoss(error))
            return false
        }
    }

    // MARK: The stream

    private func take(_ event: CurlStream.Event) {
        switch event {
        case .opened: logIn()
        case .received(let bytes): take(bytes)
        case .backlogFull: foundBacklogFull()
        case .ended(let failure): lose(EngineLoss(failure))
        }
    }

    private func foundBacklogFull() {
        guard case .connecting(let password, let attempt) = state else { return }
        // Nobody waits: a later fetch tries again.
        guard answersEnd != nil else { return lose(fullBacklog) }
        stream = nil
        let pause = EngineHealth.pause(Self.shortestBacklogPause, attempt, Self.longestBacklogPause, random())
        state = .backlogFull(password, attempt: attempt + 1, retry: clock.now + pause)
        loop.run(self)
    }

    private var fullBacklog: EngineLoss {
        let address = configuration.address
        return EngineLoss(
            kind: .unreachable,
            message: "the backlog of \(address) is full; see whether the engine is stuck, or raise its tcp-backlog")
    }

    private func logIn() {
        guard case .connecting(let password, _) = state, let stream else { return }
        guard password != nil || configuration.user != SharedStateConfiguration.defaultUser else {
            state = .greeting
            EngineCommand("TIME").withFormatted { unsent.append(contentsOf: $0) }
            flush()
            return
        }
        state = .loggingIn
        do throws(TransportFailure) {
            try EngineCommand.withLogin(user: configuration.user, password: password) {
                bytes throws(TransportFailure) in try stream.write(bytes)
            }
        } catch {
            lose(EngineLoss(error))
        }
    }

    private func becomeConnected() {
        state = .connected
        handler(.connected)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        // The handler of a reply may close this connection, and open another.
        let (reader, stream) = (reader, stream)
        do throws(EngineReplyReader.Problem) {
            try reader.feed(bytes)
            while self.stream === stream, let reply = try reader.next() { take(reply) }
        } catch {
            let address = configuration.address
            switch error {
            case .malformed:
                lose(EngineLoss(kind: .refused, message: "what answers at \(address) is neither Redis nor Valkey"))
            case .tooLarge:
                let limit = EngineReplyReader.largestReply >> 10
                lose(EngineLoss(kind: .unreachable, message: "\(address) sent a reply of more than \(limit) KiB"))
            }
        }
    }

    private func take(_ reply: EngineReply) {
        switch state {
        case .loggingIn: takeLogin(reply)
        case .greeting: takeTime(reply)
        case .connected:
            guard var question = pending.popFirst() else { return takeUnasked(reply) }
            if case .error(let error) = reply {
                if error.kind == .noScript, question.command.script != nil, !question.hasSource {
                    question.hasSource = true
                    return send(question)
                }
            }
            question.completion(reply)
        case .closed, .failed, .connecting, .backlogFull: break
        }
    }

    /// A full engine says so, and hangs up.
    private func takeUnasked(_ reply: EngineReply) {
        if case .error(let error) = reply { return lose(error.loss) }
        lose(EngineLoss(kind: .refused, message: "\(configuration.address) answers without having been asked"))
    }

    private func takeLogin(_ reply: EngineReply) {
        switch reply {
        case .status: becomeConnected()
        case .error(let error):
            lose(error.lossOfLogin(user: configuration.user, configuration.names))
        default:
            lose(EngineLoss(kind: .refused, message: "\(configuration.address) answers the login with nonsense"))
        }
    }

    private func takeTime(_ reply: EngineReply) {
        if case .error(let error) = reply {
            if error.code == "NOPERM", !needsTime { return becomeConnected() }
            return lose(error.code == "NOAUTH" ? error.lossWithoutPassword(configuration.names) : error.loss)
        }
        guard reply.time != nil else {
            return lose(EngineLoss(kind: .refused, message: "\(configuration.address) answers TIME with nonsense"))
        }
        becomeConnected()
    }
}
