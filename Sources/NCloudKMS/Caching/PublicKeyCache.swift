import KMSPlatform

/// The keys that a client has fetched; only those that were fetched with the current credentials are used.
struct PublicKeyCache: Sendable {
    private var entries: ExpiringCache<FetchedKey>
    /// Nil until credentials have been found.
    private var identity: CredentialIdentity?
    /// The number of calls that arrived before credentials were found.
    private var earlyMisses = 0

    init(_ configuration: KMSClientConfiguration) {
        entries = ExpiringCache(timeToLive: configuration.cacheTimeToLive, staleIfError: configuration.staleIfError)
    }

    /// Sets the current credentials.
    mutating func use(_ identity: CredentialIdentity) {
        self.identity = identity
    }

    /// The answer for a call, if there is one, and whether to refresh it in the background.
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
        // A fetch that started after this call, for another call, is as good as a fetch of its own.
        let source = age < .zero ? PublicKeyAnswer.Source.kms : .cache
        return (PublicKeyAnswer(query, fetched, source: source, age: max(age, .zero)), isRefreshDue)
    }

    /// Like `answer`, for a call that can use only the answer of one particular fetch. If there is a different answer
    /// or none, the call does a normal look-up.
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

    /// The expired answer that replaces a failure, if there is one and the configuration allows it.
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

    /// - Parameter coalesced: the number of calls that joined another call's fetch.
    func status(coalesced: Int) -> CacheStatus {
        let counters = entries.counters
        return CacheStatus(
            entries: entries.count, hits: counters.hits, misses: counters.misses + earlyMisses, stale: counters.stale,
            coalesced: coalesced)
    }
}
