import KMSPlatform

/// How many attempts may be under way at once: as many as are configured, or fewer while the process has no descriptors
/// for more connections.
struct ConnectionSlots {
    /// How long after a connection could not be opened one more is tried, at most one in this time.
    static let growthInterval = Duration.seconds(1)

    let maximum: Int
    /// Those of attempts that are under way, or about to be.
    private(set) var used = 0
    /// Those that are left unused, as no connection could be opened.
    private(set) var missing = 0
    /// When one of the missing may be tried again.
    private var nextGrowth = Instant(nanoseconds: 0)

    init(maximum: Int) { self.maximum = maximum }

    var free: Int { maximum - used - missing }

    /// An attempt is to be sent.
    mutating func take() { used += 1 }

    /// An attempt was cancelled, or never sent.
    mutating func release() {
        used -= 1
        // With nothing under way, nothing else would ever give them back.
        if used == 0 { missing = 0 }
    }

    /// An attempt ended that had a connection.
    mutating func ended(now: Instant) {
        release()
        guard missing > 0, now >= nextGrowth else { return }
        missing -= 1
        nextGrowth = now + Self.growthInterval
    }

    /// An attempt ended as the process had no descriptor for its connection.
    ///
    /// - Returns: whether it can wait for the connection of another that is under way.
    mutating func lacked(now: Instant) -> Bool {
        release()
        guard used > 0 else { return false }
        // All others would fail alike.
        missing = maximum - used
        nextGrowth = now + Self.growthInterval
        return true
    }
}
