import Platform

/// Counts the requests of each key in windows of one second, which begin with a key's first request.
struct Throttle: Sendable {
    /// Nil: no limit.
    private(set) var requestsPerSecond: Int?
    private var windows: [String: (start: Instant, count: Int)] = [:]

    init(requestsPerSecond: Int?) {
        self.requestsPerSecond = requestsPerSecond
    }

    /// Whether one more request for the key is within the limit.
    mutating func admits(_ keyTag: String, at now: Instant) -> Bool {
        guard let limit = requestsPerSecond else { return true }
        var window = windows[keyTag] ?? (now, 0)
        if now - window.start >= .seconds(1) { window = (now, 0) }
        window.count += 1
        windows[keyTag] = window
        return window.count <= limit
    }
}
