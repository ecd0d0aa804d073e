import KMSPlatform

/// The slots of one key's shared budget that this process was granted, and when to ask for more.
struct Lease: Sendable {
    /// A slot is lost if nobody uses it for this long after its time. So all processes together send at most the burst and
    /// 1.1 times the rate within a second, even if some wait for a processor; and by as much more as answers of the engine
    /// are late, from which a slot's time is counted.
    static let slotLife = Duration.milliseconds(100)
    /// The engine grants no slot further ahead than this.
    static let horizon = Duration.seconds(1)
    /// The unit of the random delay after a refusal; doubled by each further refusal, up to 32 times.
    static let refusalDelay = Duration.milliseconds(100)
    /// For this long after the engine was lost and found again, this process takes no more than it did meanwhile. Others
    /// may still be without the engine, and what they take is not counted there.
    static let caution = Duration.seconds(2)

    /// The engine's answer to a question.
    struct Grant: Equatable, Sendable {
        /// Slots granted; 0 if there is none within the horizon.
        var count: Int
        /// From the answer to the first slot; negative: at once.
        var first: Duration
        /// Between two slots.
        var interval: Duration
        var rate: Rate
    }

    /// The times of the slots that nobody has used, in order.
    private var slots: [Instant] = []
    /// When the question was asked that has not been answered yet; nil if there is none.
    private(set) var asked: Instant?
    /// After a refusal: when to ask again.
    private var nextQuestion: Instant?
    private var refusals = 0
    /// The current rate, as far as known.
    private var rate: Rate
    /// Until the time, at most one slot for each interval.
    private var pace: (interval: Duration, end: Instant)?

    /// - Parameter rate: the configured rate.
    init(_ rate: Rate) {
        self.rate = rate
    }

    /// Whether it behaves like a new one.
    func isIdle(now: Instant) -> Bool {
        asked == nil && nextQuestion ?? now <= now && pace(now: now) == nil
            && slots.last.map { $0 + Self.slotLife <= now } ?? true
    }

    /// How many slots to ask for now; nil: don't ask. The answer goes to `granted` or `failed`.
    ///
    /// It does not ask while it has slots. Whoever asks again for each caller that comes is always at the horizon, where the
    /// engine grants one slot at a time.
    ///
    /// - Parameter waiting: the number of callers that wait.
    mutating func question(waiting: Int, now: Instant) -> Int? {
        dropLost(now: now)
        guard asked == nil, waiting > 0, slots.isEmpty, nextQuestion ?? now <= now else { return nil }
        asked = now
        nextQuestion = nil
        return min(waiting, pace(now: now) == nil ? Int(rate.burst) : 1)
    }

    /// The engine has answered a question.
    ///
    /// - Parameter random: in 0..<1.
    mutating func granted(_ grant: Grant, now: Instant, random: Double) {
        asked = nil
        rate = grant.rate
        guard grant.count > 0 else {
            let spread = Self.refusalDelay * (1 << min(refusals, 5))
            refusals += 1
            let delay = max(grant.first - Self.horizon, .zero) + spread.part(random)
            nextQuestion = now + delay
            return
        }
        refusals = 0
        for index in 0..<grant.count {
            slots.append(now + max(grant.first + grant.interval * index, .zero))
        }
        nextQuestion = pace(now: now).map { now + $0 }
    }

    /// The engine was lost, and can be asked again.
    ///
    /// - Parameters:
    ///   - rate: of this process meanwhile.
    ///   - next: when its next request was due.
    mutating func recovered(from rate: Rate, next: Instant, now: Instant) {
        pace = (rate.interval, now + Self.caution)
        nextQuestion = next
    }

    private func pace(now: Instant) -> Duration? { pace.flatMap { now < $0.end ? $0.interval : nil } }

    /// The engine will not answer. Its slots stay usable.
    mutating func failed() {
        asked = nil
        nextQuestion = nil
        refusals = 0
    }

    /// Uses a slot whose time has come; false if there is none.
    mutating func take(now: Instant) -> Bool {
        dropLost(now: now)
        guard let first = slots.first, first <= now else { return false }
        slots.removeFirst()
        return true
    }

    /// When a caller's turn comes at the earliest: at its slot, or not before the next question, which comes after the last
    /// slot, or some time after a refusal. Nil if it is not known.
    ///
    /// - Parameter place: how many callers wait before it.
    func turn(atPlace place: Int) -> Instant? { hasSlot(atPlace: place) ? slots[place] : slots.last ?? nextQuestion }

    func hasSlot(atPlace place: Int) -> Bool { place < slots.count }

    /// When something is to be done if callers wait: a slot's time comes, or the time to ask again.
    ///
    /// - Parameters:
    ///   - waiting: the number of callers that wait.
    ///   - isConnected: whether the engine can be asked.
    func nextDue(waiting: Int, isConnected: Bool) -> Instant? {
        slots.first ?? (isConnected && waiting > 0 ? nextQuestion : nil)
    }

    private mutating func dropLost(now: Instant) {
        let lost = slots.prefix { $0 + Self.slotLife <= now }.count
        if lost > 0 { slots.removeFirst(lost) }
    }
}

extension Lease.Grant {
    /// The budget script's answer: the slots granted, the microseconds to the first one, those between two, and the rate in
    /// requests per 1,000 s. Nil if it does not have this form, or grants more than was asked for.
    init?(_ reply: EngineReply, asked: Int) {
        guard case .array(let parts) = reply, parts.count == 5 else { return nil }
        let numbers = parts.compactMap { if case .integer(let number) = $0 { number } else { nil } }
        // The script does not go beyond these bounds: a rate of one request per second, and the furthest time that it keeps.
        let second: Int64 = 1_000_000
        guard numbers.count == 5, (0...Int64(asked)).contains(numbers[0]),
            (-second...4 * second).contains(numbers[1]), (1...second).contains(numbers[2]),
            (1...Int64(KMSClientConfiguration.rateRange.upperBound) * 1_000).contains(numbers[3])
        else { return nil }
        count = Int(numbers[0])
        first = .microseconds(numbers[1])
        interval = .microseconds(numbers[2])
        rate = Rate(perThousandSeconds: numbers[3])
    }
}
