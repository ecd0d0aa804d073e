import KMSPlatform

typealias FetchID = SlotMap<Fetch>.ID

/// All attempts to get one key from the service, on behalf of every call that waits for it.
struct Fetch: Sendable {
    /// The current phase, with the data that exists only in that phase.
    enum Phase: Sendable {
        /// Waits for credentials.
        case credentials
        /// Looks for the key of another process.
        case shared(Credentials)
        /// Waits for a slot of the budget that processes share.
        case budget(Credentials)
        /// Waits for its turn at the rate limiter.
        case limiter(RateLimiter.Ticket, Credentials)
        /// May send, and waits for a free connection.
        ///
        /// - Parameter isReturned: whether its attempt could not be sent because there was no descriptor.
        case connection(Credentials, isReturned: Bool)
        /// Has a connection, and its attempt waits to be sent.
        case departure(Credentials)
        /// An attempt is under way.
        case transfer(Attempt)
        /// Its attempt has ended, and the consequences are being decided.
        case answered
        /// Its credentials were refused with this error; waits to learn whether there are others.
        case refused(KMSError)
        /// The next attempt begins at this time.
        case backoff(until: Instant)
    }

    /// How an attempt was sent.
    struct Attempt: Sendable {
        let credentials: Credentials
        /// Added to the wall clock for its signature.
        let clockOffset: Duration
    }

    /// How the last attempt failed.
    struct Failure: Sendable {
        let error: KMSError
        /// Whether the attempt was on a kept connection that turned out to be dead.
        var needsNewConnection: Bool
    }

    let request: PublicKeyRequest
    /// The identity of its credentials; nil while it waits for them.
    var identity: CredentialIdentity?
    var phase = Phase.credentials
    var progress: RetryProgress
    /// When its first request was handed to the transport; nil before. Its answer is as old as this, because the answer
    /// to a retry may have come from the first request.
    var start: Instant?
    var lastFailure: Failure?
    /// The calls that wait for it, in the order of arrival. It ends with the last of them.
    var waiters = WaitingList<CallID>()
    /// The previous fetch for the same request, if it has not ended.
    fileprivate(set) var older: FetchID?

    init(_ request: PublicKeyRequest, policy: RetryPolicy) {
        self.request = request
        progress = RetryProgress(policy)
    }

    var waitsForLimiter: Bool {
        switch phase {
        case .budget, .limiter: true
        default: false
        }
    }

    /// The error for a call whose deadline comes before the next attempt: the failure of the last attempt, because it
    /// says more than our own limit does, or otherwise the limit.
    func errorWithoutTime(toWait delay: Duration) -> KMSError {
        guard var error = lastFailure?.error else { return .rateLimitedHere(retryAfter: delay) }
        error.reason = error.reason ?? RetryStop.deadline.rawValue
        error.attempts = progress.attempts
        error.retryAfter = error.isRetryable ? delay : nil
        return error
    }
}

typealias CallID = SlotMap<WaitingCall>.ID

/// A call that the cache could not answer.
struct WaitingCall: Sendable {
    let query: PublicKeyQuery
    /// When the caller made the call.
    let arrival: Instant
    /// The caller's label, for the log.
    let label: String?
    /// Whether it refreshes a key that is about to expire, so that no caller waits for it.
    let isRefresh: Bool
    /// Receives progress; see `FetchMachine.Action.report`. Nil if the caller does not want any.
    let progress: FetchProgress.Handler?
    /// Receives the outcome; see `FetchMachine.Action.tell`.
    let completion: PublicKeyCompletion
    /// The fetch that it waits for.
    fileprivate(set) var fetch: FetchID?
    /// The progress that was reported last.
    var lastReport: FetchProgress.Activity?

    init(
        _ query: PublicKeyQuery, arrival: Instant, label: String?, progress: FetchProgress.Handler? = nil,
        _ completion: @escaping PublicKeyCompletion
    ) {
        self.query = query
        self.arrival = arrival
        self.label = label
        isRefresh = false
        self.progress = progress
        self.completion = completion
    }

    /// A refresh of a key, which waits for as long as a call would.
    init(refreshing request: PublicKeyRequest, now: Instant) {
        query = PublicKeyQuery(keyTag: request.keyTag, version: request.version)
        arrival = now
        label = nil
        isRefresh = true
        progress = nil
        completion = { _ in }
    }

    var deadline: Instant { arrival + query.timeout }

    func joining(_ fetch: FetchID) -> WaitingCall {
        var call = self
        call.fetch = fetch
        return call
    }
}

/// Receives the outcome of a call, exactly once.
package typealias PublicKeyCompletion = @Sendable (Result<PublicKeyAnswer, KMSError>) -> Void

/// Ids in the order of their arrival. An id that leaves keeps its place until half of them have left, so that the cost
/// of leaving does not depend on their number.
struct WaitingList<ID: Sendable>: Sendable {
    /// Including the places of ids that have left.
    private(set) var places: [ID] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ id: ID) {
        places.append(id)
        count += 1
    }

    /// Records that one has left.
    ///
    /// - Parameter isWaiting: returns whether an id has not left.
    mutating func left(_ isWaiting: (ID) -> Bool) {
        count -= 1
        if places.count > 2 * count + 16 { places.removeAll { !isWaiting($0) } }
    }

    /// Removes places from the front.
    ///
    /// - Parameter waiting: how many of them belong to ids that had not left.
    mutating func removeFirst(_ places: Int, waiting: Int) {
        self.places.removeFirst(places)
        count -= waiting
    }
}

/// The current fetches, by id and by request.
struct FetchTable: Sendable {
    private var fetches = SlotMap<Fetch>()
    /// The newest fetch for each request; the others follow through `older`.
    private var newest: [PublicKeyRequest: FetchID] = [:]

    var ids: [FetchID] { fetches.ids }

    subscript(id: FetchID) -> Fetch? {
        get { fetches[id] }
        _modify { yield &fetches[id] }
    }

    mutating func insert(_ fetch: Fetch) -> FetchID {
        var fetch = fetch
        fetch.older = newest[fetch.request]
        let id = fetches.insert(fetch)
        newest[fetch.request] = id
        return id
    }

    /// Removes a fetch, so that no other call can join it.
    mutating func remove(_ id: FetchID) -> Fetch? {
        guard let fetch = fetches.remove(id) else { return nil }
        if newest[fetch.request] == id {
            newest[fetch.request] = fetch.older
            return fetch
        }
        var next = newest[fetch.request]
        while let current = next {
            next = fetches[current]?.older
            if next == id {
                fetches[current]?.older = fetch.older
                break
            }
        }
        return fetch
    }

    /// The newest suitable fetch with the same request and identity.
    func newest(
        for request: PublicKeyRequest, _ identity: CredentialIdentity?, where isSuitable: (FetchID, Fetch) -> Bool
    ) -> FetchID? {
        var next = newest[request]
        while let id = next, let fetch = fetches[id] {
            if fetch.identity == identity, isSuitable(id, fetch) { return id }
            next = fetch.older
        }
        return nil
    }
}
