import KMSPlatform

/// What is said to the engine and what it has not answered yet; and what fetches do because of it.
struct EngineDialogue {
    /// What the engine's connection has to do, or the log.
    enum Request {
        /// - Parameter isAwaited: whether fetches wait for the connection.
        case connect(isAwaited: Bool)
        case close
        /// Send it, and report the reply to `SharedState.replied`.
        case send(QuestionID, EngineCommand)
        case log(SharedEvent)
    }

    /// What a fetch does next.
    enum Verdict {
        /// It ends with this key, whose fetch began at this time.
        case found(FetchID, FetchedKey, start: Instant)
        /// It asks the service.
        case notFound(FetchID)
        /// It is not needed any more.
        case givenUp(FetchID)
        /// The budget lets it go.
        case admitted(FetchID)
        /// Its turn does not come before this.
        case turn(FetchID, Instant)
    }

    typealias QuestionID = SlotMap<Question>.ID

    struct Question {
        let subject: Subject
        let sent: Instant
    }

    /// What a reply answers.
    enum Subject {
        case budget(KeyTag, asked: Int)
        case flight(FetchID)
        /// One of the three parts of a plain look-up, in the order in which they are asked.
        case time(FetchID)
        case entry(FetchID)
        case marker(FetchID)
        /// Whether an entry was stored.
        case store
        /// Nothing depends on the reply.
        case none

        /// Whether it is the text under a name.
        var isPlainLookUp: Bool {
            switch self {
            case .entry, .marker: true
            case .budget, .flight, .time, .store, .none: false
            }
        }
    }

    private(set) var health = EngineHealth()
    private var questions = SlotMap<Question>()
    private var requests = Queue<Request>()
    private var verdicts = Queue<Verdict>()
    private(set) var commands = 0
    private(set) var latency = LatencyHistogram()

    mutating func nextRequest() -> Request? { requests.popFirst() }

    mutating func nextVerdict() -> Verdict? { verdicts.popFirst() }

    mutating func append(_ verdict: Verdict) { verdicts.append(verdict) }

    mutating func log(_ event: SharedEvent?) {
        if let event { requests.append(.log(event)) }
    }

    /// A fetch needs the engine.
    ///
    /// - Parameter deadline: the fetch's.
    mutating func wanted(now: Instant, deadline: Instant) -> EngineHealth.Verdict {
        let (verdict, connects) = health.wanted(now: now, deadline: deadline)
        if connects { requests.append(.connect(isAwaited: verdict == .wait)) }
        return verdict
    }

    /// Sends a command. Only while the engine is connected.
    mutating func send(_ command: EngineCommand, _ subject: Subject, now: Instant) {
        commands += 1
        health.used(now: now)
        requests.append(.send(questions.insert(Question(subject: subject, sent: now)), command))
    }

    /// - Returns: what the reply answers; nil if that does not matter any more.
    mutating func answered(_ id: QuestionID, now: Instant) -> Subject? {
        guard let question = questions.remove(id) else { return nil }
        latency.record(now - question.sent)
        return question.subject
    }

    /// A reply had the expected form, so the engine works.
    mutating func understood() {
        if health.answered() { requests.append(.log(.engineReturned)) }
    }

    mutating func connected(now: Instant) { health.connected(now: now) }

    /// There will be no more replies.
    ///
    /// - Parameters:
    ///   - random: in 0..<1.
    /// - Returns: whether this is news.
    mutating func lost(_ loss: EngineLoss, now: Instant, random: Double) -> Bool {
        _ = questions.removeAll()
        return health.lost(loss, now: now, random: random)
    }

    /// Ends the patience of fetches that wait for the connection, or closes a connection that nobody uses, if it is time.
    ///
    /// - Returns: whether fetches go on without the engine from now on.
    mutating func due(now: Instant) -> Bool {
        if health.rest(now: now) { requests.append(.close) }
        return health.losePatience(now: now)
    }
}

extension EngineLoss {
    /// A script's answer does not have its form.
    static let unknownReply = EngineLoss(
        kind: .refused, message: "the engine answers a script with something else than the script returns")
}
