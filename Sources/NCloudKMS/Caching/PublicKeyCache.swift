import Platform

/// Answers of the service, for as long as they may be used again.
package struct PublicKeyCache<Value> {
    /// A process that uses more keys than this within the time to live asks for some of them again.
    package static var capacity: Int { 1_024 }

    package enum Lookup {
        /// - Parameters:
        ///   - age: from the start of the fetch to the arrival of this call; negative if the call came first.
        ///   - isRefreshDue: whether to fetch it anew in the background. Said once for each entry.
        case hit(Value, age: Duration, isRefreshDue: Bool)
        case miss
    }

    package struct Counters: Equatable, Sendable {
        package var hits = 0
        package var misses = 0
        /// Answers that had expired and stood in for a service that could not be asked.
        package var stale = 0

        package init() {}
    }

    fileprivate struct Entry {
        let value: Value
        let fetchStart: Instant
        var isRefreshed = false
    }

    package let timeToLive: Duration
    /// A hit on an entry older than this has it fetched anew.
    private let refreshAge: Duration
    private let staleIfError: Duration
    private var entries = LRUCache<CacheKey, Entry>(capacity: capacity)

    package private(set) var counters = Counters()

    /// - Parameters:
    ///   - timeToLive: zero keeps nothing.
    ///   - staleIfError: how much longer an entry may stand in for a failure; zero for not at all.
    package init(timeToLive: Duration, staleIfError: Duration) {
        self.timeToLive = timeToLive
        refreshAge = timeToLive - timeToLive / 10
        self.staleIfError = timeToLive > .zero ? staleIfError : .zero
    }

    package var count: Int { entries.count }

    /// - Parameters:
    ///   - maximumAge: what the call asked for; nil for the time to live.
    ///   - countsMiss: false for a call that will look again if it finds nothing.
    ///   - isWanted: whether the call can do with that value; if not, it is a miss.
    package mutating func lookUp(
        _ key: CacheKey, maximumAge: Duration?, now: Instant, countsMiss: Bool = true,
        where isWanted: (Value) -> Bool = { _ in true }
    ) -> Lookup {
        let limit = AgeLimit(maximumAge, timeToLive: timeToLive)
        let miss = countsMiss ? 1 : 0
        guard let entry = entries.value(forKey: key), isWanted(entry.value) else {
            counters.misses += miss
            return .miss
        }
        let age = now - entry.fetchStart
        guard limit.accepts(fetchStart: entry.fetchStart, arrival: now) else {
            if age > timeToLive + staleIfError { entries.removeValue(forKey: key) }
            counters.misses += miss
            return .miss
        }
        counters.hits += 1
        let isRefreshDue = !entry.isRefreshed && age > refreshAge
        if isRefreshDue {
            var refreshed = entry
            refreshed.isRefreshed = true
            entries.insert(refreshed, forKey: key)
        }
        return .hit(entry.value, age: age, isRefreshDue: isRefreshDue)
    }

    /// Counts a question that could not even be asked: no credentials were known.
    package mutating func countMiss() {
        counters.misses += 1
    }

    /// What may stand in for a failure.
    ///
    /// - Parameters:
    ///   - code: of the failure; only one by which the service could not be asked has a stand-in.
    ///   - maximumAge: what the call asked for. A call that did gets nothing: it knows how old it may be.
    package mutating func standIn(
        for code: KMSError.Code, _ key: CacheKey, maximumAge: Duration?, now: Instant
    ) -> (value: Value, age: Duration)? {
        guard code.isUnavailability, maximumAge == nil, staleIfError > .zero, let entry = entries.value(forKey: key)
        else { return nil }
        let age = max(now - entry.fetchStart, .zero)
        guard age <= timeToLive + staleIfError else { return nil }
        counters.stale += 1
        return (entry.value, age)
    }

    /// Keeps what a fetch brought, unless a fetch that started later brought something before.
    package mutating func store(_ value: Value, for key: CacheKey, fetchStart: Instant) {
        guard timeToLive > .zero else { return }
        if let entry = entries.value(forKey: key), entry.fetchStart > fetchStart { return }
        entries.insert(Entry(value: value, fetchStart: fetchStart), forKey: key)
    }

    /// Takes note of a failed fetch: the key that the service says is gone (1004) or unusable (1005) must not be used
    /// any more. Every other failure changes nothing, and so does one of a fetch older than the entry.
    package mutating func fetchFailed(_ code: KMSError.Code, for key: CacheKey, fetchStart: Instant) {
        guard code == .keyNotFound || code == .keyUnusable, let entry = entries.value(forKey: key),
            entry.fetchStart <= fetchStart
        else { return }
        entries.removeValue(forKey: key)
    }
}

extension PublicKeyCache: Sendable where Value: Sendable {}
extension PublicKeyCache.Entry: Sendable where Value: Sendable {}
extension PublicKeyCache.Lookup: Sendable where Value: Sendable {}
