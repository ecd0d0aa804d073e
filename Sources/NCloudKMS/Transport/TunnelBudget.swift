import KMSPlatform

/// Limits what a proxy may answer to CONNECT, and how long it may block others.
///
/// libcurl 7.88 reads this answer byte by byte as long as there are bytes, past every timeout. It calls the progress
/// function after each byte, and a few more times in each turn, whatever is read.
struct TunnelBudget {
    /// The same as for any other answer.
    static let largestBytes = 64 << 10
    /// libcurl 7.88 accepts lines below 16 KiB, and reports a longer one like a lost connection. This is slightly less,
    /// because not every byte is counted.
    private static let longestLine = 16_000
    /// In a turn that lasts longer, no answer gets more than its fair share, so that no call notices its deadline late:
    /// several proxied connections may be in their CONNECT at once.
    static let longestTurn = Duration.milliseconds(250)
    /// What every answer gets in a turn, however long the others have made it: more than a proxy needs, and so little
    /// that all connections together take a fraction of a second.
    static let fairShare = 4 << 10

    /// Progress calls of a transfer in one turn that may not stand for a byte.
    private static let otherSteps = 8
    /// The clock is read once every this many steps.
    private static let stepsBetweenLooks = 256

    enum Verdict: Equatable {
        case goOn
        case tooLarge
        case tooLate
    }

    private var turn: UInt64?
    private var stepsOfTurn = 0
    private var bytes = 0

    /// Whether libcurl may have given up on a line of the answer.
    var isTooLargeForLibcurl: Bool { bytes > Self.longestLine }

    /// One call of the progress function.
    ///
    /// - Parameters:
    ///   - turn: the turn of the `CurlMulti`, in which many transfers may have a step.
    ///   - elapsed: how long the turn has lasted.
    mutating func step(turn: UInt64, elapsed: () -> Duration) -> Verdict {
        if self.turn != turn {
            self.turn = turn
            stepsOfTurn = 0
        }
        stepsOfTurn += 1
        guard stepsOfTurn > Self.otherSteps else { return .goOn }
        bytes += 1
        if bytes > Self.largestBytes { return .tooLarge }
        guard stepsOfTurn > Self.fairShare, stepsOfTurn % Self.stepsBetweenLooks == 0 else { return .goOn }
        return elapsed() > Self.longestTurn ? .tooLate : .goOn
    }
}
