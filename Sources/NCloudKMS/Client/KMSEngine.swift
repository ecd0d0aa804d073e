import Logging
import Platform
import PublicKeys

/// Everything of the client that happens on the curl thread: the fetches, from the first caller to the last answer.
///
/// ```
///  call ─▶ join a fetch, or begin one
///          └▶ credentials ─▶ limiter ─▶ connection ─▶ sign ─▶ transfer ─▶ cache, and every call that joined
///                 ▲──────────────── backoff ◀────────────────────┘
/// ```
///
/// An actor whose executor is the curl thread. Calls come in by `CurlThread.submit`, so none needs a `Task`. What is
/// decided is decided by values that take the time (`FetchTable`, `CredentialChain`, `RateLimiter`, `RetryProgress`,
/// `ClockSkew`), and the methods here carry it out. The extensions have one layer each.
actor KMSEngine {
    nonisolated let thread: CurlThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let configuration: KMSClientConfiguration
    /// What every request needs to know of the endpoint.
    let service: (baseURL: String, isLoopback: Bool)
    let clock: any TimeSource
    let logger: Logger
    /// A number in 0..<1, for the jitter of retries.
    let random: @Sendable () -> Double
    /// Runs what tells several outcomes.
    var together: @Sendable (() -> Void) -> Void = { $0() }
    let multi: CurlMulti
    let memo = PublicKeyMemo()
    let cache: KeyCache
    let retryPolicy: RetryPolicy

    var signers: SignerStore
    var limiter: RateLimiter
    var retryQuota: RetryQuota
    var skew: ClockSkew
    var calls: [Int: WaitingCall] = [:]
    /// Who waits for which fetch.
    var table = Fetches()
    var fetches: [Fetches.FetchID: Fetch] = [:]
    /// Fetches that wait for credentials, for the limiter and for a connection; those that ended meanwhile are passed
    /// over.
    var credentialQueue: [Fetches.FetchID] = []
    var tickets: [RateLimiter.Ticket: Fetches.FetchID] = [:]
    var connectionQueue: [Fetches.FetchID] = []
    var transfers: [TransferID: Fetches.FetchID] = [:]
    /// The question to the metadata service that is under way.
    var metadataTransfer: TransferID?
    var timers = DeadlineHeap<Timer>()
    var upstream = UpstreamStatus()
    var latency = LatencyHistogram()

    /// What can be due.
    enum Timer: Hashable, Sendable {
        /// The end of a call's time.
        case deadline(call: Int)
        /// The end of a fetch's backoff.
        case backoff(Fetches.FetchID)
    }

    init(
        _ configuration: KMSClientConfiguration, multi: sending CurlMulti, cache: KeyCache, clock: any TimeSource,
        logger: Logger, random: @escaping @Sendable () -> Double
    ) {
        self.configuration = configuration
        service = (configuration.endpoint.description, configuration.endpoint.isLoopback)
        self.clock = clock
        self.logger = logger
        self.random = random
        thread = CurlThread(waker: multi.waker, clock: clock)
        self.multi = multi
        self.cache = cache
        retryPolicy = RetryPolicy(maximumAttempts: configuration.maximumAttempts)
        signers = SignerStore(configuration.authentication)
        limiter = RateLimiter(ratePerKey: configuration.ratePerKey, totalRate: configuration.totalRate)
        retryQuota = RetryQuota(now: clock.now)
        skew = ClockSkew(isEnabled: configuration.correctsClock)
    }

    /// Starts the thread. Once only.
    nonisolated func start() throws(PlatformError) {
        let logger = logger
        try thread.start { [self] in
            assumeIsolated { $0.turn() }
        } pollFailed: { failure in
            logger.error("\(failure.message)")
        }
    }

    // MARK: The turn

    /// One step: what is due, then the transfers.
    func turn() -> CurlThread.TurnResult {
        let now = clock.now
        fireTimers(now: now)
        admitDue(now: now)
        startTransfers()
        do {
            let completions = try multi.perform()
            if !completions.isEmpty { together { for completion in completions { finish(completion) } } }
        } catch {
            logger.error("\(error.message)")
        }
        if multi.takeNewDistrust() { logDistrust() }
        // What is started just now has not been performed yet.
        if startTransfers() { return .again }
        let end = clock.now
        let admission = limiter.waiting > 0 ? limiter.nextAdmission(now: end) : nil
        return .sleep(until: [timers.next, admission, multi.nextLook(now: end)].compactMap { $0 }.min())
    }

    func fireTimers(now: Instant) {
        while let timer = timers.popDue(by: now) {
            switch timer {
            case .deadline(let call): deadlinePassed(call)
            case .backoff(let fetch): advance(fetch)
            }
        }
    }

    // MARK: Calls

    func begin(
        _ number: Int, _ query: PublicKeyQuery, arrival: Instant, label: String?,
        _ completion: @escaping PublicKeyCompletion
    ) {
        let key = fetchKey(query)
        if let (answer, isRefreshDue) = cache.answer(to: query, arrival: arrival, isFirstLook: false) {
            if isRefreshDue { refresh(query) }
            return completion(.success(answer))
        }
        let deadline = arrival + query.timeout
        let (place, isNew) = table.join(
            key, limit: AgeLimit(query.maxAge, timeToLive: configuration.cacheTimeToLive), arrival: arrival,
            deadline: deadline, waiter: number)
        calls[number] = WaitingCall(
            query: query, arrival: arrival, label: label, place: place, completion: completion)
        timers.insert(.deadline(call: number), due: deadline)
        if isNew {
            begin(place.fetch, key.request)
        } else if let error = refusal(of: place.fetch, deadline: deadline) {
            leave(number, error)
        }
    }

    /// What a call looks for among the fetches under way.
    private func fetchKey(_ query: PublicKeyQuery) -> FetchKey {
        let identity = signers.chain.currentCredentials(now: clock.now)?.identity
        if let identity { cache.use(identity) }
        return FetchKey(request: query.request, identity: identity)
    }

    /// Why a call that joined a fetch would wait in vain: the fetch goes on when the call's time is over.
    private func refusal(of id: Fetches.FetchID, deadline: Instant) -> KMSError? {
        guard let fetch = fetches[id] else { return nil }
        let now = clock.now
        switch fetch.phase {
        case .limiter(let ticket):
            guard let turn = limiter.turn(of: ticket, now: now), turn >= deadline else { return nil }
            return fetch.errorWithoutTime(toWait: turn - now)
        case .backoff(let end):
            return end >= deadline ? fetch.errorWithoutTime(toWait: end - now) : nil
        case .credentials, .connection, .transfer: return nil
        }
    }

    /// Fetches a key that is about to expire, for nobody in particular.
    func refresh(_ query: PublicKeyQuery) {
        let key = fetchKey(query)
        let deadline = clock.now + PublicKeyQuery.defaultTimeout
        if let fetch = table.beginRefresh(key, deadline: deadline) { begin(fetch, key.request) }
    }

    private func begin(_ id: Fetches.FetchID, _ request: PublicKeyRequest) {
        fetches[id] = Fetch(id, request, policy: retryPolicy)
        advance(id)
    }

    func cancel(_ call: Int) {
        leave(call, .cancelled)
    }

    private func deadlinePassed(_ call: Int) {
        guard let fetch = calls[call].flatMap({ fetches[$0.place.fetch] }) else { return }
        var error = KMSError.deadlineExceeded(while: fetch.activity(multi.phase))
        if fetch.progress.attempts > 0 { error.attempts = fetch.progress.attempts }
        leave(call, error)
    }

    /// Ends one call while its fetch is under way. The fetch goes on if others wait for it, and is dropped if nobody
    /// does.
    private func leave(_ number: Int, _ error: KMSError) {
        guard let place = calls[number]?.place else { return }
        if table.leave(place)?.isAbandoned ?? false {
            let hadTransfer = abort(place.fetch)
            // Nobody has to wait for a service in vain without its being counted; who cancels does not wait.
            if hadTransfer, error.code == .deadlineExceeded { upstream.failures += 1 }
        }
        end(number, .failure(error))
    }

    /// Tells a call its outcome.
    func end(_ number: Int, _ outcome: Result<PublicKeyAnswer, KMSError>) {
        guard let call = calls.removeValue(forKey: number) else { return }
        timers.remove(.deadline(call: number))
        guard case .failure(let error) = outcome else { return call.completion(outcome) }
        if let answer = cache.standIn(for: error, call.query, arrival: call.arrival) {
            logStaleAnswer(answer, call, error)
            return call.completion(.success(answer))
        }
        call.completion(.failure(error.about(call.query.keyTag)))
    }

    /// Drops a fetch that nobody waits for, wherever it stands.
    ///
    /// - Returns: whether a transfer was cut off.
    private func abort(_ id: Fetches.FetchID) -> Bool {
        guard let fetch = fetches.removeValue(forKey: id) else { return false }
        fetch.progress.ended(now: clock.now, quota: &retryQuota)
        timers.remove(.backoff(id))
        switch fetch.phase {
        case .limiter(let ticket):
            tickets[ticket] = nil
            limiter.cancel(ticket)
        case .transfer(let transfer):
            multi.cancel(transfer)
            return transfers.removeValue(forKey: transfer) != nil
        case .credentials, .connection, .backoff: break
        }
        return false
    }

    /// Ends every call: the thread is about to stop, and nobody would tell them.
    func shutDown() {
        for id in Array(fetches.keys) {
            _ = abort(id)
            for number in table.end(id) { end(number, .failure(.shuttingDown)) }
        }
    }

    /// The time after which nobody waits for a fetch.
    func deadline(of fetch: Fetch) -> Instant {
        table.deadline(of: fetch.id) ?? clock.now
    }
}
