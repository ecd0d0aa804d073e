import KMSPlatform

/// An event of the shared state that is worth a line in the log.
enum SharedEvent: Equatable {
    /// - Parameter rate: what the process limits itself to, the highest of all keys; nil: keys have no limit.
    case engineLost(EngineLoss, rate: Rate?)
    case engineReturned
    case entryRejected(SharedEntry.Rejection)
    /// No entry is used, because this machine's clock and the engine's differ by this much.
    case clockDiffers(by: Duration)
}

/// Which events of the shared keys have been logged, so that none of them fills the log.
struct SharedKeyLog {
    /// Between two lines about rejected entries.
    static let pause = Duration.seconds(60)

    private var lastRejection: Instant?
    private var isClockReported = false

    /// Whether a rejected entry is to be logged now.
    mutating func isRejectionDue(now: Instant) -> Bool {
        if let lastRejection, now - lastRejection < Self.pause { return false }
        lastRejection = now
        return true
    }

    /// The event to log, if the clocks have begun to differ.
    mutating func clocks(differ: Bool, by difference: Duration) -> SharedEvent? {
        defer { isClockReported = differ }
        return differ && !isClockReported ? .clockDiffers(by: difference) : nil
    }
}
