/// Decides when a busy `EventLoop` polls its urgent descriptors again. A poll is a system call, and its events are
/// handled before everything else, so both must leave time for other work.
struct UrgentPace {
    /// The minimum time from one poll to the next: enough to send two or three requests or read as many answers. A shorter
    /// pause costs processor time, because fewer answers are written together: with 20 µs, mixed traffic takes 8 % more.
    /// A longer one makes cached keys wait. `make bench` measures both.
    static let shortestPause = Duration.microseconds(50)

    /// Nil if the next `isDue` starts the pause.
    private var next: Instant?
    /// When the last poll found an event that has not been handled yet.
    private var found: Instant?

    /// The urgent descriptors were polled.
    mutating func looked(foundSomething: Bool, now: Instant) {
        next = now + Self.shortestPause
        found = foundSomething ? now : nil
    }

    /// Whether to call `dealtWith` after the next source has run: the one that handles the events.
    var hasFound: Bool { found != nil }

    /// The event has been handled: other work may now take as long as that did.
    mutating func dealtWith(now: Instant) {
        guard let found else { return }
        next = now + max(Self.shortestPause, now - found)
        self.found = nil
    }

    /// There is no other work. The next pause starts when there is some again.
    mutating func restart() {
        next = nil
        found = nil
    }

    /// Whether to poll now.
    mutating func isDue(now: Instant) -> Bool {
        if let next { return now >= next }
        next = now + Self.shortestPause
        return false
    }
}
