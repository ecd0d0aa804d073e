import KMSPlatform

/// How many attempts may run concurrently: the configured maximum, or fewer while the process has no descriptors for
/// more connections.
struct ConnectionSlots {
    /// After a connection could not be opened, one more is tried in each interval of this length.
    static let growthInterval = Duration.seconds(1)

    let maximum: Int
    /// The slots of attempts that are running, or about to.
    private(set) var used = 0
    /// The slots that are not used because no connection could be opened.
    private(set) var missing = 0
    /// When one of the missing slots may be tried again.
    private var nextGrowth = Instant(nanoseconds: 0)

    init(maximum: Int) { self.maximum = maximum }

    var free: Int { maximum - used - missing }

    /// An attempt is about to be sent.
    mutating func take() { used += 1 }

    /// An attempt was cancelled, or never sent.
    mutating func release() {
        used -= 1
        // If nothing is running, nobody knows how many can be opened.
        if used == 0 { missing = 0 }
    }

    /// An attempt ended for a reason other than a missing descriptor.
    mutating func ended(now: Instant) {
        release()
        guard missing > 0, now >= nextGrowth else { return }
        missing -= 1
        nextGrowth = now + Self.growthInterval
    }

    /// An attempt ended because the process had no descriptor left.
    ///
    /// - Returns: whether it can wait for the connection of another attempt that is running.
    mutating func lacked(now: Instant) -> Bool {
        used -= 1
        // All others would fail in the same way. One may always try.
        missing = maximum - max(used, 1)
        nextGrowth = now + Self.growthInterval
        return used > 0
    }
}
