import Logging
import Platform
import PublicKeys

/// The client at work: carries out what `FetchMachine` decides, and tells it what came of it.
///
/// An actor whose executor is the curl thread. Calls come in by `CurlThread.submit`, so none needs a `Task`.
actor KMSEngine {
    nonisolated let thread: CurlThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let configuration: KMSClientConfiguration
    /// What every request needs to know of the endpoint.
    private let service: (baseURL: String, isLoopback: Bool)
    private let clock: any TimeSource
    /// Runs what tells several outcomes.
    var together: @Sendable (() -> Void) -> Void = { $0() }
    private let multi: CurlMulti
    private let memo = PublicKeyMemo()
    private let cache: KeyCache
    private var signers: SignerStore
    private var machine: FetchMachine
    private var log: FetchLog
    private var latency = LatencyHistogram()

    /// An attempt under way.
    private struct RunningAttempt {
        let transfer: TransferID
        let sent: SentCredentials
    }
    private var attempts: [FetchID: RunningAttempt] = [:]
    private var transfers: [TransferID: FetchID] = [:]
    /// The question to the metadata service that is under way.
    private var metadataTransfer: TransferID?
    private var numbers: [Int: CallID] = [:]
    private var isCarryingOut = false

    init(
        _ configuration: KMSClientConfiguration, multi: sending CurlMulti, cache: KeyCache, clock: any TimeSource,
        logger: Logger, random: @escaping @Sendable () -> Double
    ) {
        self.configuration = configuration
        service = (configuration.endpoint.description, configuration.endpoint.isLoopback)
        self.clock = clock
        log = FetchLog(logger)
        thread = CurlThread(waker: multi.waker, clock: clock)
        self.multi = multi
        self.cache = cache
        signers = SignerStore(configuration.authentication)
        machine = FetchMachine(
            FetchMachine.Configuration(
                timeToLive: configuration.cacheTimeToLive, ratePerKey: configuration.ratePerKey,
                totalRate: configuration.totalRate, maximumConnections: configuration.maximumConnections,
                maximumAttempts: configuration.maximumAttempts, correctsClock: configuration.correctsClock,
                random: random),
            now: clock.now)
    }

    /// Starts the thread. Once only.
    nonisolated func start() throws(PlatformError) {
        try thread.start { [self] in
            assumeIsolated { $0.turn() }
        } pollFailed: { [self] failure in
            assumeIsolated { $0.log.logger.error("\(failure.message)") }
        }
    }

    // MARK: The turn

    /// One step: what is due, then the transfers.
    private func turn() -> CurlThread.TurnResult {
        machine.due(now: clock.now)
        carryOut()
        do {
            let completions = try multi.perform()
            if !completions.isEmpty { together { for completion in completions { finish(completion) } } }
        } catch {
            log.logger.error("\(error.message)")
        }
        if multi.takeNewDistrust() { log.distrust(of: service.baseURL) }
        // What was started just now has not been performed yet.
        if hasStarted {
            hasStarted = false
            return .again
        }
        let end = clock.now
        return .sleep(until: [machine.nextDue(now: end), multi.nextLook(now: end)].compactMap { $0 }.min())
    }

    private var hasStarted = false

    private func finish(_ completion: CurlMulti.Completion) {
        if completion.id == metadataTransfer { return metadataEnded(completion.outcome) }
        guard let id = transfers.removeValue(forKey: completion.id), let attempt = attempts.removeValue(forKey: id)
        else {
            return
        }
        let outcome = AttemptOutcome(completion.outcome, to: attempt.sent, memo)
        if let response = outcome.response { latency.record(.nanoseconds(response.timing.total * 1_000)) }
        if log.isVerbose, let fetch = machine.description(of: id) {
            var failure: TransportFailure?
            if case .failure(let reason) = completion.outcome { failure = reason }
            log.attemptEnded(fetch, outcome.response, failure)
        }
        machine.responded(id, outcome, now: clock.now)
        carryOut()
    }

    // MARK: Calls

    func begin(
        _ number: Int, _ query: PublicKeyQuery, arrival: Instant, label: String?,
        _ completion: @escaping PublicKeyCompletion
    ) {
        let now = clock.now
        let credentials = findCredentials(now: now)
        if let (answer, isRefreshDue) = cache.answer(to: query, arrival: arrival, isFirstLook: false) {
            if isRefreshDue { refresh(query) }
            return completion(.success(answer))
        }
        numbers[number] = machine.call(
            WaitingCall(query, arrival: arrival, label: label) { [weak self] outcome in
                self?.assumeIsolated { $0.numbers[number] = nil }
                completion(outcome)
            }, credentials, now: now)
        carryOut()
    }

    /// Fetches a key that is about to expire, for nobody in particular.
    func refresh(_ query: PublicKeyQuery) {
        let now = clock.now
        machine.refresh(query.request, findCredentials(now: now), now: now)
        carryOut()
    }

    func cancel(_ number: Int) {
        guard let call = numbers[number] else { return }
        machine.cancel(call, now: clock.now)
        carryOut()
    }

    /// Ends every call: the thread is about to stop, and nobody would tell them.
    func shutDown() {
        machine.shutDown(now: clock.now)
        carryOut()
    }

    // MARK: What the machine decides

    private func carryOut() {
        // What a caller does when it is told may lead to more; that follows in its order.
        guard !isCarryingOut else { return }
        isCarryingOut = true
        defer { isCarryingOut = false }
        while let action = machine.nextAction() {
            switch action {
            case .askCredentials(let fetch):
                let now = clock.now
                machine.credentials(findCredentials(now: now), for: fetch, now: now)
            case .askOtherCredentials(let fetch, let refused):
                let now = clock.now
                machine.otherCredentials(otherCredentials(than: refused, now: now), for: fetch, now: now)
            case .start(let fetch, let departure):
                start(fetch, departure)
            case .cancel(let fetch):
                guard let attempt = attempts.removeValue(forKey: fetch) else { break }
                transfers[attempt.transfer] = nil
                multi.cancel(attempt.transfer)
            case .store(let fetched, let request, let identity, let start):
                cache.store(fetched, for: request, identity, fetchStart: start)
            case .noteFailure(let code, let request, let identity, let start):
                cache.fetchFailed(code, for: request, identity, fetchStart: start)
            case .tell(let call, let outcome):
                tell(call, outcome)
            case .log(let event, let fetch):
                log.write(event, fetch)
            }
        }
    }

    private func start(_ fetch: FetchID, _ departure: FetchMachine.Departure) {
        let request = departure.request
        let target = request.target
        let timestamp = clock.wallClockMilliseconds + departure.clockOffset.milliseconds
        do throws(KMSError) {
            let headers = try signers.signer(for: departure.credentials).headers(
                method: PublicKeyRequest.method, target: target, timestampMilliseconds: timestamp)
            let transfer = try send(
                HTTPRequest(
                    method: .post, baseURL: service.baseURL, target: target,
                    headers: [("Content-Type", "application/json")] + headers, body: request.body,
                    needsNewConnection: departure.needsNewConnection,
                    hasAnotherAttempt: departure.hasAnotherAttempt,
                    isDirect: service.isLoopback, allowsPlainHTTP: service.isLoopback))
            transfers[transfer] = fetch
            attempts[fetch] = RunningAttempt(
                transfer: transfer,
                sent: SentCredentials(
                    departure.credentials, signature: headers.first { $0.name == RequestSigner.signatureHeader }?.value)
            )
            hasStarted = true
        } catch {
            return machine.notStarted(fetch, error, now: clock.now)
        }
        machine.started(fetch, now: clock.now)
        if log.isVerbose, let description = machine.description(of: fetch) {
            log.attemptBegins(description, departure.credentials, timestampMilliseconds: timestamp)
        }
    }

    private func send(_ request: HTTPRequest) throws(KMSError) -> TransferID {
        do { return try multi.start(request) } catch { throw KMSError(error) }
    }

    private func tell(_ call: WaitingCall, _ outcome: FetchMachine.Outcome) {
        switch outcome {
        case .key(let fetched, let age):
            call.completion(.success(PublicKeyAnswer(call.query, fetched, source: .kms, age: age)))
        case .failure(let error):
            fail(call, error)
        case .timedOut(let fetch, let count):
            let activity: KMSError.Activity =
                switch attempts[fetch].flatMap({ multi.phase(of: $0.transfer) }) {
                case .resolving, .connecting, .handshake: .connecting
                case .waiting, .receiving, nil: .waitingForAnswer
                }
            var error = KMSError.deadlineExceeded(while: activity)
            error.attempts = count
            fail(call, error)
        }
    }

    private func fail(_ call: WaitingCall, _ error: KMSError) {
        if let answer = cache.standIn(for: error, call.query, arrival: call.arrival) {
            log.staleAnswer(answer, label: call.label, error)
            call.completion(.success(answer))
        } else {
            call.completion(.failure(error.about(call.query.keyTag)))
        }
    }

    // MARK: Credentials

    private func findCredentials(now: Instant) -> FetchMachine.CredentialAnswer {
        let step = signers.chain.next(now: now)
        log.files(of: signers.chain)
        switch step {
        case .ready(let credentials, let refresh):
            cache.use(credentials.identity)
            if let refresh { ask(refresh) }
            return .found(credentials)
        case .ask(let request):
            ask(request)
            return .awaited
        case .wait:
            return .awaited
        case .unavailable(let error):
            return .unavailable(error)
        }
    }

    private func otherCredentials(than refused: CredentialIdentity, now: Instant) -> Credentials? {
        do {
            return try signers.chain.replacement(for: refused, now: now)
        } catch {
            log.credentialsUnreadable(error)
            return nil
        }
    }

    private func ask(_ request: MetadataRequest) {
        do {
            metadataTransfer = try multi.start(HTTPRequest(request))
            hasStarted = true
        } catch {
            metadataEnded(.failure(error))
        }
    }

    private func metadataEnded(_ outcome: Result<HTTPResponse, TransportFailure>) {
        metadataTransfer = nil
        if let next = signers.chain.serverRole?.ended(outcome, now: clock.now) { return ask(next) }
        machine.credentialsMayBeThere()
        carryOut()
    }

    // MARK: Figures

    func status() -> ClientStatus {
        let now = clock.now
        let credentials = signers.chain.credentials(now: now).map {
            CredentialStatus(source: "\($0.source)", accessKeyID: $0.abbreviatedAccessKeyID)
        }
        var upstream = machine.upstream
        upstream.p50Milliseconds = latency.percentile(0.5).map { Double($0.nanoseconds) / 1_000_000 }
        upstream.p99Milliseconds = latency.percentile(0.99).map { Double($0.nanoseconds) / 1_000_000 }
        let (entries, counters) = cache.figures
        return ClientStatus(
            credentials: credentials, clockSkew: machine.clockOffset, upstream: upstream,
            cache: CacheStatus(
                entries: entries, hits: counters.hits, misses: counters.misses, stale: counters.stale,
                coalesced: machine.coalesced),
            limiterWaiting: machine.limiterWaiting, retryQuota: machine.quotaStatus(now: now))
    }
}
