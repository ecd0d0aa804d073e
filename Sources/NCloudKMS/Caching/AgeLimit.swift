import Platform

/// How old an answer may be for one call. An answer is as old as the start of the fetch that brought it.
package struct AgeLimit: Equatable, Sendable {
    package let maximumAge: Duration

    /// - Parameters:
    ///   - maximumAge: what the call asked for; nil for the cache's own limit.
    ///   - timeToLive: the cache's limit, which nothing exceeds.
    package init(_ maximumAge: Duration?, timeToLive: Duration) {
        self.maximumAge = min(maximumAge ?? timeToLive, timeToLive)
    }

    /// Whether a call that arrived at `arrival` may be answered from a fetch that started at `start`. With a limit of
    /// zero only one that started later will do: the call asked the service to be asked.
    package func accepts(fetchStart start: Instant, arrival: Instant) -> Bool {
        start > arrival || (maximumAge > .zero && arrival - start <= maximumAge)
    }
}
