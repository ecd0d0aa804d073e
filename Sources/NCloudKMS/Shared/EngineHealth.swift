import KMSPlatform

/// Whether the shared engine can be asked now, and when to try again if it can't.
///
/// ```
///  idle ─▶ connecting ─▶ connected ─▶ idle, after a minute without use
///               │             │
///               ▼             ▼
///             degraded: the process limits itself, until a fetch finds that it is time to try again
/// ```
struct EngineHealth: Sendable {
    /// The first pause after a loss; doubled by each further loss.
    static let shortestPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(5)
    /// The pause after a refusal, which an operator has to deal with.
    static let pauseAfterRefusal = Duration.seconds(60)
    /// The pause after a password was refused. Short at first, as a password may be changed in its file and in the engine in
    /// any order; doubled by each loss after the eighth, about half a minute later.
    static let pauseAfterWrongPassword = Duration.seconds(4)
    private static let patientLosses = 8
    /// An unused connection is closed after this time.
    static let longestRest = Duration.seconds(60)

    enum State: Equatable, Sendable {
        case idle
        /// - Parameter patience: until then, fetches wait for the connection, which takes a second at most; afterwards they
        ///   go on without it.
        case connecting(patience: Instant)
        case connected(lastUse: Instant)
        /// - Parameter retry: the first fetch from then on tries again, without waiting for the outcome.
        case degraded(retry: Instant)
        /// Connecting, while fetches go on without it.
        case reconnecting
    }

    /// What a fetch that needs the engine does.
    enum Verdict: Equatable, Sendable {
        /// Ask it.
        case ask
        /// Wait for the connection.
        case wait
        /// Go on without it.
        case goWithout
    }

    private(set) var state = State.idle
    /// Why the connection was lost last; nil if it never was.
    private(set) var lastError: String?
    /// Losses without an answer in between.
    private var losses = 0
    /// The last loss that was news since the engine worked.
    private var reportedLoss: EngineLoss.Kind?
    var isConnected: Bool { if case .connected = state { true } else { false } }

    /// Whether fetches have to go on without the engine.
    var isDegraded: Bool {
        switch state {
        case .degraded, .reconnecting: true
        case .idle, .connecting, .connected: false
        }
    }

    /// A fetch needs the engine.
    ///
    /// - Parameter deadline: the fetch's. Nobody waits for the connection for more than half of the time.
    /// - Returns: what the fetch does, and whether to connect now.
    mutating func wanted(now: Instant, deadline: Instant) -> (Verdict, connects: Bool) {
        let half = now + (deadline - now) / 2
        switch state {
        case .idle:
            state = .connecting(patience: half)
            return (.wait, true)
        case .connecting(let patience):
            state = .connecting(patience: min(patience, half))
            return (.wait, false)
        case .connected:
            return (.ask, false)
        case .degraded(let retry):
            guard now >= retry else { return (.goWithout, false) }
            state = .reconnecting
            return (.goWithout, true)
        case .reconnecting:
            return (.goWithout, false)
        }
    }

    /// Fetches have waited long enough for the connection.
    ///
    /// - Returns: whether some may have.
    mutating func losePatience(now: Instant) -> Bool {
        guard case .connecting(let patience) = state, now >= patience else { return false }
        state = .reconnecting
        return true
    }

    mutating func connected(now: Instant) {
        state = .connected(lastUse: now)
    }

    /// A command is sent.
    mutating func used(now: Instant) {
        if isConnected { state = .connected(lastUse: now) }
    }

    /// A command was answered, so the engine works: a connection alone does not show that.
    ///
    /// - Returns: whether a loss was reported before, so that this is news.
    mutating func answered() -> Bool {
        losses = 0
        defer { reportedLoss = nil }
        return reportedLoss != nil
    }

    /// - Parameter random: in 0..<1.
    /// - Returns: whether this is news: the first loss since the engine worked, or the first one that an operator has to
    ///   deal with.
    mutating func lost(_ loss: EngineLoss, now: Instant, random: Double) -> Bool {
        let isNews = reportedLoss == nil || (loss.kind != .unreachable && reportedLoss == .unreachable)
        if isNews { reportedLoss = loss.kind }
        lastError = loss.message
        let pause: Duration
        switch loss.kind {
        case .refused:
            pause = Self.pauseAfterRefusal
        case .credentials:
            let doublings = max(losses + 1 - Self.patientLosses, 0)
            pause = Self.pause(Self.pauseAfterWrongPassword, doublings, Self.pauseAfterRefusal, random)
        case .unreachable:
            pause = Self.pause(Self.shortestPause, losses, Self.longestPause, random)
        }
        losses += 1
        state = .degraded(retry: now + pause)
        return isNews
    }

    /// A pause that grows.
    ///
    /// - Parameter random: in 0..<1. The pause is between half of its length and all of it.
    static func pause(_ first: Duration, _ doublings: Int, _ longest: Duration, _ random: Double) -> Duration {
        min(first * (1 << min(doublings, 10)), longest).part(0.5 + random / 2)
    }

    /// Closes a connection that nobody has used for a while.
    ///
    /// - Returns: whether to close it.
    mutating func rest(now: Instant) -> Bool {
        guard case .connected(let lastUse) = state, now >= lastUse + Self.longestRest else { return false }
        state = .idle
        return true
    }

    /// When the patience ends, or the rest; nil while neither runs.
    var nextDue: Instant? {
        switch state {
        case .connecting(let patience): patience
        case .connected(let lastUse): lastUse + Self.longestRest
        case .idle, .degraded, .reconnecting: nil
        }
    }
}
