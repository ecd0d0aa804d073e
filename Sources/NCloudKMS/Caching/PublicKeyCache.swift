import KMSPlatform

/// The keys that a client has fetched, of which those count that were fetched with the credentials in use.
struct PublicKeyCache: Sendable {
    private var entries: ExpiringCache<FetchedKey>
    /// Nil until credentials were found.
    private var identity: CredentialIdentity?
    /// Calls that came before credentials were found.
    private var earlyMisses = 0

    init(_ configuration: KMSClientConfiguration) {
        entries = ExpiringCache(timeToLive: configuration.cacheTimeToLive, staleIfError: configuration.staleIfError)
    }

    /// From now on the keys count that were fetched with these credentials.
    mutating func use(_ identity: CredentialIdentity) {
        self.identity = identity
    }

    /// The answer that a call may have at once, and whether it is time to fetch a younger one in the background.
    mutating func answer(
        to query: PublicKeyQuery, arrival: Instant
    ) -> (answer: PublicKeyAnswer, isRefreshDue: Bool)? {
        guard let identity else {
            earlyMisses += 1
            return nil
        }
        let key = CacheKey(query.request, identity)
        guard
            case .hit(let fetched, let age, let isRefreshDue) = entries.lookUp(
                key, maximumAge: query.maxAge, now: arrival)
        else { return nil }
        // What was fetched for another call after this one came is as good as a fetch of its own.
        let source = age < .zero ? PublicKeyAnswer.Source.kms : .cache
        return (PublicKeyAnswer(query, fetched, source: source, age: max(age, .zero)), isRefreshDue)
    }

    /// As `answer`, for a call that can only do with the answer of one fetch. If there is another or none, the call asks
    /// again.
    mutating func age(
        of fetched: FetchedKey, for query: PublicKeyQuery, arrival: Instant
    ) -> (age: Duration, isRefreshDue: Bool)? {
        guard let identity else { return nil }
        let key = CacheKey(query.request, identity)
        guard
            case .hit(_, let age, let isRefreshDue) = entries.lookUp(
                key, maximumAge: query.maxAge, now: arrival, where: { $0 === fetched })
        else { return nil }
        return (max(age, .zero), isRefreshDue)
    }

    /// The expired answer that stands in for a failure, if there is one and the configuration allows it.
    mutating func standIn(for error: KMSError, _ query: PublicKeyQuery, arrival: Instant) -> PublicKeyAnswer? {
        guard let identity,
            let (fetched, age) = entries.standIn(
                for: error.code, CacheKey(query.request, identity), maximumAge: query.maxAge, now: arrival)
        else { return nil }
        return PublicKeyAnswer(query, fetched, source: .stale, age: age)
    }

    mutating func store(_ fetched: FetchedKey, for key: CacheKey, fetchStart: Instant) {
        entries.store(fetched, for: key, fetchStart: fetchStart)
    }

    mutating func fetchFailed(_ code: KMSError.Code, for key: CacheKey, fetchStart: Instant) {
        entries.fetchFailed(code, for: key, fetchStart: fetchStart)
    }

    /// - Parameter coalesced: calls that joined another call's fetch.
    func status(coalesced: Int) -> CacheStatus {
        let counters = entries.counters
        return CacheStatus(
            entries: entries.count, hits: counters.hits, misses: counters.misses + earlyMisses, stale: counters.stale,
            coalesced: coalesced)
    }
}
