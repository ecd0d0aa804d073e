import KMSPlatform

/// How many attempts may be under way at once: as many as are configured, or fewer while the process has no descriptors
/// for more connections.
struct ConnectionSlots {
    /// After a connection could not be opened, one more is tried in each interval.
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
        // With nothing under way, there is no telling how many can be opened.
        if used == 0 { missing = 0 }
    }

    /// An attempt ended, and not for want of a descriptor.
    mutating func ended(now: Instant) {
        release()
        guard missing > 0, now >= nextGrowth else { return }
        missing -= 1
        nextGrowth = now + Self.growthInterval
    }

    /// An attempt ended as the process had no descriptor left.
    ///
    /// - Returns: whether it can wait for the connection of another that is under way.
    mutating func lacked(now: Instant) -> Bool {
        used -= 1
        // All others would fail alike. One may always try.
        missing = maximum - max(used, 1)
        nextGrowth = now + Self.growthInterval
        return used > 0
    }
}
