import Logging
import Platform
import PublicKeys

/// Everything of the client that happens on the curl thread: the fetches, from the first caller to the last answer.
///
/// ```
///  call ─▶ fetch: credentials ─▶ limiter ─▶ connection ─▶ sign ─▶ transfer ─▶ answer ─▶ calls
///                     ▲──────────────── backoff ◀────────────────────┘
/// ```
///
/// An actor whose executor is the curl thread. Calls come in by `CurlThread.submit`, so none needs a `Task`. What is
/// decided is decided by values that take the time (`CredentialChain`, `RateLimiter`, `RetryProgress`, `ClockSkew`),
/// and the methods here carry it out. The extensions have one layer each.
actor KMSEngine {
    nonisolated let thread: CurlThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let configuration: KMSClientConfiguration
    let clock: any TimeSource
    let logger: Logger
    /// A number in 0..<1, for the jitter of retries.
    let random: @Sendable () -> Double
    let multi: CurlMulti
    let memo = PublicKeyMemo()
    let retryPolicy: RetryPolicy

    var signers: SignerStore
    var limiter: RateLimiter
    var retryQuota: RetryQuota
    var skew: ClockSkew
    var calls: [Int: WaitingCall] = [:]
    var fetches: [Int: Fetch] = [:]
    /// Fetches that wait for the limiter.
    var tickets: [RateLimiter.Ticket: Int] = [:]
    /// Fetches that wait for a connection, first come, first served.
    var connectionQueue: [Int] = []
    var transfers: [TransferID: Int] = [:]
    /// The question to the metadata service that is under way.
    var metadataTransfer: TransferID?
    var timers = DeadlineHeap<Timer>()
    var upstream = UpstreamStatus()
    private var nextFetch = 0

    /// What can be due.
    enum Timer: Hashable, Sendable {
        /// The end of a call's time.
        case deadline(call: Int)
        /// The end of a fetch's backoff.
        case backoff(fetch: Int)
    }

    init(
        _ configuration: KMSClientConfiguration, multi: sending CurlMulti, clock: any TimeSource, logger: Logger,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.random = random
        thread = CurlThread(waker: multi.waker, clock: clock)
        self.multi = multi
        retryPolicy = RetryPolicy(maximumAttempts: configuration.maximumAttempts)
        signers = SignerStore(configuration.credentials)
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
        while let timer = timers.popDue(by: now) {
            switch timer {
            case .deadline(let call): deadlinePassed(call)
            case .backoff(let fetch): advance(fetch)
            }
        }
        admitDue(now: now)
        startTransfers()
        do {
            for completion in try multi.perform() { finish(completion) }
        } catch {
            logger.error("\(error.message)")
        }
        // What is started just now has not been performed yet.
        if startTransfers() { return .again }
        let admission = limiter.waiting > 0 ? limiter.nextAdmission(now: clock.now) : nil
        return .sleep(until: [timers.next, admission].compactMap { $0 }.min())
    }

    // MARK: Calls

    func begin(_ number: Int, _ query: PublicKeyQuery, arrival: Instant, _ completion: @escaping PublicKeyCompletion) {
        let deadline = arrival + query.timeout
        let request = PublicKeyRequest(keyTag: query.keyTag, version: query.version)
        nextFetch += 1
        var fetch = Fetch(number: nextFetch, request: request, policy: retryPolicy)
        fetch.waiters.append(number)
        fetches[fetch.number] = fetch
        calls[number] = WaitingCall(
            query: query, arrival: arrival, deadline: deadline, fetch: fetch.number, completion: completion)
        timers.insert(.deadline(call: number), due: deadline)
        advance(fetch.number)
    }

    func cancel(_ call: Int) {
        end(call, .failure(.cancelled))
    }

    private func deadlinePassed(_ call: Int) {
        guard let fetch = calls[call].flatMap({ fetches[$0.fetch] }) else { return }
        var error = KMSError.deadlineExceeded(while: fetch.activity)
        error.attempts = fetch.progress.attempts
        end(call, .failure(error))
    }

    /// Ends one call. Its fetch goes on if others wait for it; the last one to leave aborts it.
    func end(_ number: Int, _ outcome: Result<PublicKeyAnswer, KMSError>) {
        guard let call = calls.removeValue(forKey: number) else { return }
        timers.remove(.deadline(call: number))
        if var fetch = fetches[call.fetch] {
            fetch.waiters.removeAll { $0 == number }
            fetches[call.fetch] = fetch
            if fetch.waiters.isEmpty, !fetch.isBackground { abort(fetch) }
        }
        call.completion(outcome.mapError { $0.about(call.query.keyTag) })
    }

    /// Drops a fetch that nobody waits for, wherever it stands.
    private func abort(_ fetch: Fetch) {
        fetches[fetch.number] = nil
        timers.remove(.backoff(fetch: fetch.number))
        switch fetch.phase {
        case .limiter(let ticket):
            tickets[ticket] = nil
            limiter.cancel(ticket)
        case .transfer(let transfer):
            transfers[transfer] = nil
            multi.cancel(transfer)
        // Those who give connections and credentials pass over what is gone.
        case .credentials, .connection, .backoff: break
        }
    }

    /// The last deadline of those who wait.
    func deadline(of fetch: Fetch) -> Instant {
        fetch.waiters.compactMap { calls[$0]?.deadline }.max() ?? clock.now + PublicKeyQuery.defaultTimeout
    }
}
