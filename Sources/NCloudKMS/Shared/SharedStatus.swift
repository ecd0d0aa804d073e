/// What a client has shared through the engine.
public struct SharedStatus: Sendable {
    /// Whether the engine can be asked.
    public enum State: String, Sendable {
        /// There is no connection, as nothing needed one.
        case idle
        /// There is a connection, on which the engine has answered.
        case connected
        /// The engine can't be asked; the process limits itself.
        case degraded
    }

    /// The slots of the budgets.
    public struct Budget: Sendable {
        /// Slots that the engine granted.
        public internal(set) var granted = 0
        /// Slots that were asked for, answered or not.
        public internal(set) var asked = 0
        /// Questions that were answered with no slot.
        public internal(set) var refused = 0
        /// Requests that went without a slot, because the engine could not be asked, or did not answer in time.
        public internal(set) var local = 0
    }

    /// The shared keys.
    public struct Keys: Sendable {
        /// Fetches that an entry answered.
        public internal(set) var hits = 0
        /// Fetches that looked for an entry in vain, and asked the service.
        public internal(set) var misses = 0
        /// Entries that the engine stored.
        public internal(set) var stored = 0
        /// Entries that failed a check, counted once by each fetch that saw them.
        public internal(set) var rejected = 0
        /// Fetches on behalf of all processes.
        public internal(set) var led = 0
        /// Fetches that waited for the one of another process, whether its key came or not.
        public internal(set) var followed = 0
    }

    /// The engine's URL.
    public let url: String
    /// Whether the engine can be asked.
    public internal(set) var state = State.idle
    /// Why the connection was lost last; nil if it never was.
    public internal(set) var lastError: String?
    /// Commands that were sent.
    public internal(set) var commands = 0
    /// The median duration of a command, in milliseconds; nil before the first reply.
    public internal(set) var p50Milliseconds: Double?
    /// The 99th percentile of the duration of a command, in milliseconds; nil before the first reply.
    public internal(set) var p99Milliseconds: Double?
    /// The slots of the budgets.
    public internal(set) var budget = Budget()
    /// The shared keys.
    public internal(set) var keys = Keys()
}
