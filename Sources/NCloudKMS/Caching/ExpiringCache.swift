import KMSPlatform

/// Values of the service, for as long as they may be used again.
package struct ExpiringCache<Value> {
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
    package mutating func lookUp(_ key: CacheKey, maximumAge: Duration?, now: Instant) -> Lookup {
        let lookup = lookUp(key, maximumAge: maximumAge, now: now) { _ in true }
        if case .miss = lookup { counters.misses += 1 }
        return lookup
    }

    /// As `lookUp`, for a call that can only do with some values; it looks for others if this is a miss, which is not
    /// counted.
    package mutating func lookUp(
        _ key: CacheKey, maximumAge: Duration?, now: Instant, where isWanted: (Value) -> Bool
    ) -> Lookup {
        let limit = AgeLimit(maximumAge, timeToLive: timeToLive)
        guard let entry = entries.value(forKey: key), isWanted(entry.value) else { return .miss }
        let age = now - entry.fetchStart
        guard limit.accepts(fetchStart: entry.fetchStart, arrival: now) else {
            if age > timeToLive + staleIfError { entries.removeValue(forKey: key) }
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

extension ExpiringCache: Sendable where Value: Sendable {}
extension ExpiringCache.Entry: Sendable where Value: Sendable {}
extension ExpiringCache.Lookup: Sendable where Value: Sendable {}

/// What an answer depends on: with whose rights the service was asked, and for what.
package struct CacheKey: Hashable, Sendable {
    package let identity: CredentialIdentity
    package let request: PublicKeyRequest

    package init(_ request: PublicKeyRequest, _ identity: CredentialIdentity) {
        self.request = request
        self.identity = identity
    }

    /// The request tells the keys of one client apart; the identity is all but constant, and takes as long to hash.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(request)
    }
}

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
