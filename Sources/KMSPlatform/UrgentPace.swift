/// When an `EventLoop` with much to do looks at its urgent descriptors again: a look is a system call, and what it finds
/// is dealt with before everything else, so that both must leave time for the rest.
struct UrgentPace {
    /// The least time that other work has between two looks: two or three requests are sent in it, or answers read. With
    /// half of it, mixed traffic costs 5 % more of the processor's time, as fewer answers are written together; with half
    /// as much again, a cached key takes a third longer (both measured by `make bench`).
    static let shortestPause = Duration.microseconds(40)

    /// Nil while the next `isDue` is what the pause begins with.
    private var next: Instant?
    /// When the last look found something that is not dealt with yet.
    private var found: Instant?

    /// The descriptors were looked at.
    mutating func looked(foundSomething: Bool, now: Instant) {
        next = now + Self.shortestPause
        found = foundSomething ? now : nil
    }

    /// Whether `dealtWith` is to be called after the next source has run.
    var hasFound: Bool { found != nil }

    /// What was found is dealt with: other work may now take as long as that did.
    mutating func dealtWith(now: Instant) {
        guard let found else { return }
        next = now + max(Self.shortestPause, now - found)
        self.found = nil
    }

    /// There was nothing but what the descriptors brought: a pause begins when there is.
    mutating func restart() {
        next = nil
        found = nil
    }

    /// Whether to look now.
    mutating func isDue(now: Instant) -> Bool {
        if let next { return now >= next }
        next = now + Self.shortestPause
        return false
    }
}
