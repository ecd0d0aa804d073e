import KMSPlatform

/// What a fetch looks for in the engine, on behalf of all calls that wait for it.
struct SharedLookUp: Equatable {
    /// The maximum age of an entry, which suits every call.
    let limit: Duration
    /// The earliest deadline of the calls.
    let deadline: Instant
    /// Whether a key is refreshed that is about to expire, and no call waits for it.
    let isRefresh: Bool

    /// - Parameters:
    ///   - calls: those that wait for the fetch; at least one.
    ///   - timeToLive: the cache's.
    init(for calls: some Sequence<WaitingCall>, timeToLive: Duration) {
        var limit = timeToLive
        var deadline = Instant.distantFuture
        var isRefresh = true
        for call in calls {
            isRefresh = isRefresh && call.isRefresh
            deadline = min(deadline, call.deadline)
            limit = min(limit, AgeLimit(call.query.maxAge, timeToLive: timeToLive).maximumAge)
        }
        // A refresh wants a younger key than the one that is about to expire.
        self.limit = isRefresh ? AgeLimit.refresh(timeToLive: timeToLive) : limit
        self.deadline = deadline
        self.isRefresh = isRefresh
    }
}
