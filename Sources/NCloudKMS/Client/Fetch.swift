import KMSPlatform

typealias FetchID = SlotMap<Fetch>.ID

/// One conversation with the service about one key, on behalf of every call that waits for it.
struct Fetch: Sendable {
    /// Where it stands; what is known in one phase alone is that phase's.
    enum Phase: Sendable {
        /// It waits to be told what to sign with.
        case credentials
        /// Its turn at the rate limiter has not come.
        case limiter(RateLimiter.Ticket, Credentials)
        /// It may send, and waits for a free connection.
        ///
        /// - Parameter isReturned: its attempt could not be sent, for want of a descriptor.
        case connection(Credentials, isReturned: Bool)
        /// It has a connection, and its attempt waits to be sent.
        case departure(Credentials)
        /// An attempt is under way.
        case transfer(Attempt)
        /// Its attempt has ended, and what that means is being decided.
        case answered
        /// Its credentials were refused with this error; it waits to hear whether there are others.
        case refused(KMSError)
        /// The next attempt begins then.
        case backoff(until: Instant)
    }

    /// What an attempt was sent with.
    struct Attempt: Sendable {
        let credentials: Credentials
        /// Added to the wall clock for its signature.
        let clockOffset: Duration
    }

    /// How its last attempt failed.
    struct Failure: Sendable {
        let error: KMSError
        /// The attempt was on a kept connection that turned out to be dead.
        var needsNewConnection: Bool
    }

    let request: PublicKeyRequest
    /// Whose rights it uses; nil while it waits for credentials.
    var identity: CredentialIdentity?
    var phase = Phase.credentials
    var progress: RetryProgress
    /// When its first request was handed to the transport; nil before. Its answer is as old as this, as the answer to a
    /// repeat may have come from the first request.
    var start: Instant?
    var lastFailure: Failure?
    /// The calls that wait for it, first come first. It ends with the last of them.
    var waiters = WaitingList<CallID>()
    /// The fetch for the same request that began before it and has not ended.
    fileprivate(set) var older: FetchID?

    init(_ request: PublicKeyRequest, policy: RetryPolicy) {
        self.request = request
        progress = RetryProgress(policy)
    }

    /// The error of a call whose time ends before the next attempt: how the last one failed, as that says more than our
    /// own limit does, or else the limit.
    func errorWithoutTime(toWait delay: Duration) -> KMSError {
        guard var error = lastFailure?.error else { return .rateLimitedHere(retryAfter: delay) }
        error.reason = error.reason ?? RetryStop.deadline.rawValue
        error.attempts = progress.attempts
        error.retryAfter = error.retryable ? delay : nil
        return error
    }
}

typealias CallID = SlotMap<WaitingCall>.ID

/// A call that the cache could not answer.
struct WaitingCall: Sendable {
    let query: PublicKeyQuery
    /// When the caller asked.
    let arrival: Instant
    /// What the caller calls it, for the log.
    let label: String?
    /// Whether a key that is about to expire is fetched anew, and there is nobody to be told.
    let isRefresh: Bool
    /// For who carries out `FetchMachine.Action.tell`.
    let completion: PublicKeyCompletion
    /// What it waits for.
    fileprivate(set) var fetch: FetchID?

    init(_ query: PublicKeyQuery, arrival: Instant, label: String?, _ completion: @escaping PublicKeyCompletion) {
        self.query = query
        self.arrival = arrival
        self.label = label
        isRefresh = false
        self.completion = completion
    }

    /// Waits for a younger key as long as a call would.
    init(refreshing request: PublicKeyRequest, now: Instant) {
        query = PublicKeyQuery(keyTag: request.keyTag, version: request.version)
        arrival = now
        label = nil
        isRefresh = true
        completion = { _ in }
    }

    var deadline: Instant { arrival + query.timeout }

    func joining(_ fetch: FetchID) -> WaitingCall {
        var call = self
        call.fetch = fetch
        return call
    }
}

/// Told the outcome of a call, once.
public typealias PublicKeyCompletion = @Sendable (Result<PublicKeyAnswer, KMSError>) -> Void

/// Ids in the order in which they came. One that leaves keeps its place until half of them have left, so that leaving costs
/// the same however many there are.
struct WaitingList<ID: Sendable>: Sendable {
    /// With those that have left and kept their place.
    private(set) var places: [ID] = []
    private var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ id: ID) {
        places.append(id)
        count += 1
    }

    /// One has left.
    ///
    /// - Parameter isWaiting: whether an id has not left.
    mutating func left(_ isWaiting: (ID) -> Bool) {
        count -= 1
        if places.count > 2 * count + 16 { places.removeAll { !isWaiting($0) } }
    }

    /// Takes places from the front.
    ///
    /// - Parameter waiting: how many of them had not been left.
    mutating func removeFirst(_ places: Int, waiting: Int) {
        self.places.removeFirst(places)
        count -= waiting
    }
}

/// The fetches under way, by id and by what they ask for.
struct FetchTable: Sendable {
    private var fetches = SlotMap<Fetch>()
    /// The newest fetch for each request; the others follow by `older`.
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

    /// Nobody can join it any more.
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
        for request: PublicKeyRequest, _ identity: CredentialIdentity?, where isSuitable: (Fetch) -> Bool
    ) -> FetchID? {
        var next = newest[request]
        while let id = next, let fetch = fetches[id] {
            if fetch.identity == identity, isSuitable(fetch) { return id }
            next = fetch.older
        }
        return nil
    }
}
