import KMSPlatform

/// Bounds what a proxy may answer to CONNECT, and for how long it may hold up everybody else.
///
/// libcurl 7.88 reads this answer byte by byte for as long as there are bytes, past every time-out. It calls the progress
/// function after each of them, and a few more times in each turn whatever is read.
struct TunnelBudget {
    /// As for any other answer.
    static let largestBytes = 64 << 10
    /// libcurl 7.88 takes lines below 16 KiB, and says of a longer one what it says of a lost connection. A bit less, as
    /// not every byte is counted.
    private static let longestLine = 16_000
    /// In a turn that lasts longer no answer gets more than its fair share, so that no call hears of its deadline late:
    /// several proxied connections may be in their CONNECT at once.
    static let longestTurn = Duration.milliseconds(250)
    /// What every answer gets in a turn, however long the others have made it: more than a proxy has to say, and so little
    /// that all connections together take a fraction of a second for theirs.
    static let fairShare = 4 << 10

    /// Progress calls of a transfer in one turn that need not stand for a byte.
    private static let otherSteps = 8
    /// The clock is read once in this many steps.
    private static let stepsBetweenLooks = 256

    enum Verdict: Equatable {
        case goOn
        case tooLarge
        case tooLate
    }

    private var turn: UInt64?
    private var stepsOfTurn = 0
    private var bytes = 0

    /// libcurl may have given up on a line of the answer.
    var isTooLargeForLibcurl: Bool { bytes > Self.longestLine }

    /// One call of the progress function.
    ///
    /// - Parameters:
    ///   - turn: of the `CurlMulti`, in which many transfers may have a step.
    ///   - elapsed: how long the turn lasts by now.
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
