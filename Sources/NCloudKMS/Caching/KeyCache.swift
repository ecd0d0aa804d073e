import Platform
import PublicKeys

/// The cache of a client, which any thread may ask: a hit needs no other thread.
final class KeyCache: Sendable {
    private struct State: Sendable {
        var cache: PublicKeyCache<FetchedKey>
        /// Whose answers may be used: the credentials that were found last. Nil until the first call finds some.
        var identity: CredentialIdentity?
    }

    private let endpoint: Endpoint
    private let state: Lock<State>

    init(_ configuration: KMSClientConfiguration) {
        endpoint = configuration.endpoint
        state = Lock(
            State(
                cache: PublicKeyCache(
                    timeToLive: configuration.cacheTimeToLive, staleIfError: configuration.staleIfError)))
    }

    /// From now on the answers to these credentials count.
    func use(_ identity: CredentialIdentity) {
        state.withLock { $0.identity = identity }
    }

    /// The answer that a call may have at once, and whether it is time to fetch a younger one in the background.
    ///
    /// - Parameter isFirstLook: the call will look again, on the thread that stores answers, before it asks the service:
    ///   the answer of another call's fetch may come in between.
    func answer(
        to query: PublicKeyQuery, arrival: Instant, isFirstLook: Bool
    ) -> (answer: PublicKeyAnswer, isRefreshDue: Bool)? {
        state.withLock { state in
            guard let identity = state.identity else {
                if !isFirstLook { state.cache.countMiss() }
                return nil
            }
            let lookup = state.cache.lookUp(
                key(query.request, identity), maximumAge: query.maxAge, now: arrival, countsMiss: !isFirstLook)
            guard case .hit(let fetched, let age, let isRefreshDue) = lookup else { return nil }
            // What was fetched for another call after this one came is as good as a fetch of its own.
            let source = age < .zero ? PublicKeyAnswer.Source.kms : .cache
            return (PublicKeyAnswer(query, fetched, source: source, age: max(age, .zero)), isRefreshDue)
        }
    }

    /// As `answer`, for a call that can only do with the answer of one fetch; if the cache has another or none, the call
    /// will look again.
    func age(
        of fetched: FetchedKey, for query: PublicKeyQuery, arrival: Instant
    ) -> (age: Duration, isRefreshDue: Bool)? {
        state.withLock { state in
            guard let identity = state.identity,
                case .hit(_, let age, let isRefreshDue) = state.cache.lookUp(
                    key(query.request, identity), maximumAge: query.maxAge, now: arrival, countsMiss: false,
                    where: { $0 === fetched })
            else { return nil }
            return (max(age, .zero), isRefreshDue)
        }
    }

    /// The expired answer that stands in for a failure, if there is one and the configuration allows it.
    func standIn(for error: KMSError, _ query: PublicKeyQuery, arrival: Instant) -> PublicKeyAnswer? {
        state.withLock { state in
            guard let identity = state.identity,
                let (fetched, age) = state.cache.standIn(
                    for: error.code, key(query.request, identity), maximumAge: query.maxAge, now: arrival)
            else { return nil }
            return PublicKeyAnswer(query, fetched, source: .stale, age: age)
        }
    }

    func store(
        _ fetched: FetchedKey, for request: PublicKeyRequest, _ identity: CredentialIdentity, fetchStart: Instant
    ) {
        state.withLock { $0.cache.store(fetched, for: key(request, identity), fetchStart: fetchStart) }
    }

    func fetchFailed(
        _ code: KMSError.Code, for request: PublicKeyRequest, _ identity: CredentialIdentity, fetchStart: Instant
    ) {
        state.withLock { $0.cache.fetchFailed(code, for: key(request, identity), fetchStart: fetchStart) }
    }

    /// How many entries there are, and what came of the questions.
    var figures: (entries: Int, counters: PublicKeyCache<FetchedKey>.Counters) {
        state.withLock { ($0.cache.count, $0.cache.counters) }
    }

    private func key(_ request: PublicKeyRequest, _ identity: CredentialIdentity) -> CacheKey {
        CacheKey(endpoint: endpoint, identity: identity, keyTag: request.keyTag, version: request.version)
    }
}
