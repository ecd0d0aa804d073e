/// What a client has shared through the engine.
public struct SharedStatus: Sendable {
    /// Whether the engine can be asked.
    public enum State: String, Sendable {
        /// There is no connection, as nothing needed one.
        case idle
        /// There is a connection.
        case connected
        /// The engine can't be asked; the process limits itself.
        case degraded
    }

    /// The slots of the budgets.
    public struct Budget: Sendable {
        /// Slots that the engine granted.
        public internal(set) var granted = 0
        /// Slots that were asked for.
        public internal(set) var asked = 0
        /// Questions that were answered with no slot.
        public internal(set) var refused = 0
        /// Requests that were sent without asking, because the engine could not be asked.
        public internal(set) var local = 0
    }

    /// The shared keys.
    public struct Keys: Sendable {
        /// Fetches that an entry of another process answered.
        public internal(set) var hits = 0
        /// Fetches that asked the service after they had asked the engine.
        public internal(set) var misses = 0
        /// Entries that were stored.
        public internal(set) var stored = 0
        /// Entries that failed a check.
        public internal(set) var rejected = 0
        /// Fetches on behalf of all processes.
        public internal(set) var led = 0
        /// Fetches that waited for the one of another process.
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
