import KMSPlatform

/// Caches values from the service for as long as they may be reused.
package struct ExpiringCache<Value> {
    /// A process that uses more keys than this within the time to live fetches some of them repeatedly.
    package static var capacity: Int { 1_024 }

    package enum Lookup {
        /// - Parameters:
        ///   - age: from the start of the fetch to the arrival of this call; negative if the call arrived first.
        ///   - isRefreshDue: whether to fetch the value again in the background. True once per entry.
        case hit(Value, age: Duration, isRefreshDue: Bool)
        case miss
    }

    package struct Counters: Equatable, Sendable {
        package var hits = 0
        package var misses = 0
        /// The number of expired answers that were used because the service could not be reached.
        package var stale = 0

        package init() {}
    }

    fileprivate struct Entry {
        let value: Value
        let fetchStart: Instant
        var isRefreshed = false
    }

    package let timeToLive: Duration
    /// A hit on an entry older than this triggers a refresh.
    private let refreshAge: Duration
    private let staleIfError: Duration
    private var entries = LRUCache<CacheKey, Entry>(capacity: capacity)

    package private(set) var counters = Counters()

    /// - Parameters:
    ///   - timeToLive: zero turns the cache off.
    ///   - staleIfError: how much longer an expired entry may replace a failure; zero turns this off.
    package init(timeToLive: Duration, staleIfError: Duration) {
        self.timeToLive = timeToLive
        refreshAge = AgeLimit.refresh(timeToLive: timeToLive)
        self.staleIfError = timeToLive > .zero ? staleIfError : .zero
    }

    package var count: Int { entries.count }

    /// - Parameters:
    ///   - maximumAge: the call's own limit; nil means the time to live.
    package mutating func lookUp(_ key: CacheKey, maximumAge: Duration?, now: Instant) -> Lookup {
        let lookup = lookUp(key, maximumAge: maximumAge, now: now) { _ in true }
        if case .miss = lookup { counters.misses += 1 }
        return lookup
    }

    /// Like `lookUp`, for a call that can use only certain values. A miss is not counted, because the call then does a
    /// normal look-up.
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

    /// The expired value that may replace a failure.
    ///
    /// - Parameters:
    ///   - code: the failure; only failures to reach the service are replaced.
    ///   - maximumAge: the call's own limit; a call with a limit never gets an expired value.
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

    /// Stores the value of a fetch, unless a fetch that started later has stored one.
    package mutating func store(_ value: Value, for key: CacheKey, fetchStart: Instant) {
        guard timeToLive > .zero else { return }
        if let entry = entries.value(forKey: key), entry.fetchStart > fetchStart { return }
        entries.insert(Entry(value: value, fetchStart: fetchStart), forKey: key)
    }

    /// Handles a failed fetch: a key that the service reports as missing (1004) or unusable (1005) must not be used any
    /// more. Other failures change nothing, and neither does a fetch that started before the entry's.
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

/// What an answer depends on: the credentials and the request.
package struct CacheKey: Hashable, Sendable {
    package let identity: CredentialIdentity
    package let request: PublicKeyRequest

    package init(_ request: PublicKeyRequest, _ identity: CredentialIdentity) {
        self.request = request
        self.identity = identity
    }

    /// Only the request is hashed: the identity is nearly constant, and takes as long to hash.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(request)
    }
}

/// The maximum age of an answer for one call. The age counts from the start of the fetch.
package struct AgeLimit: Equatable, Sendable {
    package let maximumAge: Duration

    /// - Parameters:
    ///   - maximumAge: the call's own limit; nil means the cache's.
    ///   - timeToLive: the cache's limit, which is always the upper bound.
    package init(_ maximumAge: Duration?, timeToLive: Duration) {
        self.maximumAge = min(maximumAge ?? timeToLive, timeToLive)
    }

    /// The age from which a value is refreshed ahead of its end.
    package static func refresh(timeToLive: Duration) -> Duration { timeToLive - timeToLive / 10 }

    /// Whether a call that arrived at `arrival` may be answered by a fetch that started at `start`. With a limit of
    /// zero, only by one that started later: the caller asked for a request to the service.
    package func accepts(fetchStart start: Instant, arrival: Instant) -> Bool {
        start > arrival || (maximumAge > .zero && arrival - start <= maximumAge)
    }
}
