import Logging
import KMSPlatform
import KMSPublicKeys

/// Runs a client: performs the actions of `FetchMachine`, and reports their results to it.
///
/// Not `Sendable`: everything happens on an event loop.
final class KMSEngine: EventSource {
    private let loop: EventLoop
    let clock: any TimeSource
    /// The endpoint, in the form that every request needs.
    private let service: (baseURL: String, isLoopback: Bool)
    private let multi: CurlMulti
    /// The connection to the shared engine; nil: nothing is shared.
    private var sharedEngine: EngineConnection?
    private var memo = PublicKeyMemo()
    private var cache: PublicKeyCache
    private var signers: SignerStore
    private var machine: FetchMachine
    private var log: FetchLog
    private var latency = LatencyHistogram()
    private var instruments: Instruments
    /// The transfers of the current attempts, by the index of the fetch.
    private var transfers: [TransferID?] = []
    private var isCarryingOut = false
    private var isShutDown = false

    /// - Throws: `TransportFailure` or `CurlEnvironment.Unfit`, if libcurl can't be used.
    init(
        _ configuration: KMSClientConfiguration, on loop: EventLoop, clock: any TimeSource, logger: Logger,
        random: @escaping @Sendable () -> Double
    ) throws {
        self.loop = loop
        self.clock = clock
        service = (configuration.endpoint.description, configuration.endpoint.isLoopback)
        let log = FetchLog(logger)
        self.log = log
        instruments = Instruments(to: configuration.endpoint)
        multi = try CurlMulti(
            configuration.transport, environment: try CurlEnvironment.ready(), loop: loop, clock: clock
        ) { event in
            switch event {
            case .failed(let failure): logger.error("\(failure.message)")
            case .distrustBegan: log.distrust(of: configuration.endpoint.description)
            }
        }
        cache = PublicKeyCache(configuration)
        signers = SignerStore(configuration.authentication)
        machine = FetchMachine(
            FetchMachine.Configuration(
                timeToLive: configuration.cacheTimeToLive, ratePerKey: configuration.ratePerKey,
                totalRate: configuration.totalRate, maximumConnections: configuration.maximumConnections,
                maximumAttempts: configuration.maximumAttempts, correctsClock: configuration.correctsClock,
                shared: configuration.shared.map { SharedState.Configuration($0, for: configuration, random: random) },
                random: random),
            now: clock.now)
        if let shared = configuration.shared {
            sharedEngine = EngineConnection(shared, multi: multi, loop: loop, clock: clock, random: random) {
                [unowned self] in sharedEngineChanged($0)
            }
        }
        loop.add(self)
    }

    /// Ends every call, refuses later ones, and leaves the loop.
    func shutDown() {
        guard !isShutDown else { return }
        isShutDown = true
        machine.shutDown(now: clock.now)
        carryOut()
        sharedEngine?.flush()
        sharedEngine?.close()
        multi.close()
        loop.remove(self)
    }

    // MARK: The loop

    /// Sends at most one attempt: each takes long enough that the loop may have more urgent things to do.
    func run() -> Duration? {
        let now = clock.now
        let due = machine.nextDue(now: now)
        if let due, due <= now {
            machine.due(now: now)
            carryOut()
        } else if !machine.hasDepartures {
            return due.map { $0 - now }
        }
        if let departure = machine.nextDeparture(now: now) {
            start(departure)
            carryOut()
        }
        if machine.hasDepartures { loop.run(self) }
        let later = clock.now
        return machine.nextDue(now: later).map { max($0 - later, .zero) }
    }

    /// Without calls, the only timer is the one that closes an unused connection to the shared engine.
    var mayRunLate: Bool { machine.calls.count == 0 }

    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {}

    // MARK: Calls

    func begin(
        _ query: PublicKeyQuery, arrival: Instant?, label: String?, progress: FetchProgress.Handler?,
        _ completion: @escaping PublicKeyCompletion
    ) -> CallID? {
        let now = clock.now
        let arrival = arrival ?? now
        guard !isShutDown else {
            completion(.failure(KMSError.shuttingDown.about(query.keyTag)))
            return nil
        }
        if let (answer, isRefreshDue) = cache.answer(to: query, arrival: arrival) {
            if isRefreshDue { refresh(query) }
            instruments.cacheAnswered()
            completion(.success(answer))
            return nil
        }
        let call = machine.call(
            WaitingCall(query, arrival: arrival, label: label, progress: progress, completion),
            findCredentials(now: now), now: now)
        instruments.waits(call, in: machine)
        proceed()
        return call
    }

    /// See `KMSClient.ageInCache`.
    func ageInCache(of fetched: FetchedKey, for query: PublicKeyQuery, arrival: Instant) -> Duration? {
        guard let (age, isRefreshDue) = cache.age(of: fetched, for: query, arrival: arrival) else { return nil }
        if isRefreshDue { refresh(query) }
        instruments.cacheAnswered()
        return age
    }

    /// Refreshes a key that is about to expire, although no call waits for it.
    private func refresh(_ query: PublicKeyQuery) {
        let now = clock.now
        machine.refresh(query.request, findCredentials(now: now), now: now)
        proceed()
    }

    func cancel(_ call: CallID) {
        machine.cancel(call, now: clock.now)
        proceed()
    }

    // MARK: Decisions of the machine

    /// After an event of the machine: performs its actions, and schedules a run of the loop, which sends attempts and
    /// handles what is due.
    private func proceed() {
        carryOut()
        loop.run(self)
    }

    private func carryOut() {
        // A caller's completion may cause more actions; they follow in order.
        guard !isCarryingOut else { return }
        isCarryingOut = true
        var callsEnded = false
        while let action = machine.nextAction() {
            switch action {
            case .askCredentials(let fetch):
                let now = clock.now
                machine.credentials(findCredentials(now: now), for: fetch, now: now)
            case .askOtherCredentials(let fetch, let refused):
                let now = clock.now
                machine.otherCredentials(otherCredentials(than: refused, now: now), for: fetch, now: now)
            case .cancel(let fetch):
                if let transfer = transfers[fetch.index] { multi.cancel(transfer) }
                transfers[fetch.index] = nil
                instruments.attemptCancelled(fetch, clock)
            case .store(let fetched, let key, let start):
                cache.store(fetched, for: key, fetchStart: start)
            case .noteFailure(let code, let key, let start):
                cache.fetchFailed(code, for: key, fetchStart: start)
            case .report(let call, let progress):
                call.progress?(progress)
            case .tell(let call, let outcome):
                tell(call, outcome)
                callsEnded = true
            case .log(let event, let fetch):
                log.write(event, fetch)
            case .engine(let request):
                carryOut(request)
            }
        }
        isCarryingOut = false
        // The caller may stop the loop because it has all it wants, but other processes wait for a key, or for the next
        // leader.
        if callsEnded { sharedEngine?.flush() }
    }

    private func start(_ departure: FetchMachine.Departure) {
        let fetch = departure.fetch
        let request = departure.request
        let target = request.target
        let timestamp = clock.wallClockMilliseconds + departure.clockOffset.milliseconds
        do throws(KMSError) {
            let headers = try signers.signer(for: departure.credentials).headers(
                method: PublicKeyRequest.method, target: target, timestampMilliseconds: timestamp)
            let sent = SentCredentials(
                departure.credentials, signature: headers.first { $0.name == RequestSigner.signatureHeader }?.value)
            let attempt = HTTPRequest(
                method: .post, baseURL: service.baseURL, target: target,
                headers: [("Content-Type", "application/json")] + headers, body: request.body,
                needsNewConnection: departure.needsNewConnection, hasAnotherAttempt: departure.hasAnotherAttempt,
                isDirect: service.isLoopback, allowsPlainHTTP: service.isLoopback)
            if fetch.index >= transfers.count {
                transfers.append(contentsOf: repeatElement(nil, count: 1 + fetch.index - transfers.count))
            }
            transfers[fetch.index] = try send(attempt) { [unowned self] in ended(fetch, $0, sent) }
        } catch {
            return machine.notStarted(fetch, error, now: clock.now)
        }
        let now = clock.now
        machine.started(departure, now: now)
        instruments.attemptStarted(departure, in: machine, now: now)
        if log.isVerbose, let description = machine.description(of: fetch) {
            log.attemptBegins(description, departure.credentials, timestampMilliseconds: timestamp)
        }
    }

    private func send(
        _ request: HTTPRequest, completion: @escaping CurlMulti.Completion
    ) throws(KMSError) -> TransferID {
        do { return try multi.start(request, completion: completion) } catch { throw KMSError(error) }
    }

    private func ended(
        _ fetch: FetchID, _ transfer: Result<HTTPResponse, TransportFailure>, _ sent: SentCredentials
    ) {
        transfers[fetch.index] = nil
        let outcome = AttemptOutcome(transfer, to: sent, &memo)
        if let response = outcome.response { latency.record(.microseconds(response.timing.total)) }
        if log.isVerbose, let description = machine.description(of: fetch) {
            var failure: TransportFailure?
            if case .failure(let reason) = transfer { failure = reason }
            log.attemptEnded(description, outcome.response, failure)
        }
        let now = clock.now
        instruments.attemptEnded(fetch, outcome, now: now)
        machine.responded(fetch, outcome, now: now)
        proceed()
    }

    private func tell(_ call: WaitingCall, _ outcome: FetchMachine.Outcome) {
        switch outcome {
        case .key(let fetched, let source, let age):
            call.completion(.success(PublicKeyAnswer(call.query, fetched, source: source, age: age)))
        case .failure(let error):
            fail(call, error)
        case .timedOut(let fetch, let count):
            let activity: KMSError.Activity =
                switch transfers[fetch.index].flatMap({ multi.phase(of: $0) }) {
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
            instruments.answeredStale()
            call.completion(.success(answer))
        } else {
            instruments.callFailed(error)
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
            // If the request failed at once, its end was reported before anything waited for it.
            return ask(request) ? .awaited : findCredentials(now: now)
        case .wait:
            return .awaited
        case .unavailable(let error):
            return .unavailable(error)
        }
    }

    private func otherCredentials(than refused: CredentialIdentity, now: Instant) -> Credentials? {
        do {
            let others = try signers.chain.replacement(for: refused, now: now)
            if let others { cache.use(others.identity) }
            return others
        } catch {
            log.credentialsUnreadable(error)
            return nil
        }
    }

    /// - Returns: whether an answer follows.
    @discardableResult
    private func ask(_ request: MetadataRequest) -> Bool {
        do {
            _ = try multi.start(HTTPRequest(request)) { [unowned self] in metadataEnded($0) }
            return true
        } catch {
            metadataEnded(.failure(error))
            return false
        }
    }

    private func metadataEnded(_ outcome: Result<HTTPResponse, TransportFailure>) {
        guard let next = signers.chain.serverRole?.ended(outcome, now: clock.now) else {
            machine.credentialsMayBeThere()
            return proceed()
        }
        ask(next)
    }

    // MARK: The shared engine

    private func carryOut(_ request: EngineDialogue.Request) {
        switch request {
        case .connect(let isAwaited): sharedEngine?.open(isAwaited: isAwaited)
        case .close: sharedEngine?.close()
        case .send(let question, let command):
            sharedEngine?.send(command) { [unowned self] in replied(question, $0) }
        case .log(let event): log.write(event)
        }
    }

    private func sharedEngineChanged(_ event: EngineConnection.Event) {
        switch event {
        case .connected: machine.engineConnected(now: clock.now)
        case .lost(let loss): machine.engineLost(loss, now: clock.now)
        }
        proceed()
    }

    private func replied(_ question: EngineDialogue.QuestionID, _ reply: EngineReply) {
        let now = clock.now
        if let loss = machine.engineReplied(
            question, reply, now: now, wallClock: clock.wallClockMilliseconds)
        {
            sharedEngine?.close()
            machine.engineLost(loss, now: now)
        }
        proceed()
    }

    // MARK: Status

    func status() -> ClientStatus {
        let now = clock.now
        let credentials = signers.chain.credentials(now: now).map {
            CredentialStatus(source: "\($0.source)", accessKeyID: $0.abbreviatedAccessKeyID)
        }
        var upstream = machine.upstream
        upstream.p50Milliseconds = latency.percentileMilliseconds(0.5)
        upstream.p99Milliseconds = latency.percentileMilliseconds(0.99)
        return ClientStatus(
            credentials: credentials, clockSkew: machine.clockOffset, upstream: upstream,
            cache: cache.status(coalesced: machine.coalesced),
            limiterWaiting: machine.limiterWaiting, retryQuota: machine.quotaStatus(now: now),
            shared: machine.shared?.status)
    }
}

/// The current credentials, and the signer for them.
struct SignerStore {
    var chain: CredentialChain
    private var signer: (identity: CredentialIdentity, value: RequestSigner)?

    init(_ authentication: KMSClientConfiguration.Authentication) {
        chain =
            switch authentication {
            case .lookup(let lookup): CredentialChain(lookup)
            case .credentials(let credentials): CredentialChain(credentials)
            }
    }

    /// The signer for these credentials; set up once, and kept until the credentials change.
    mutating func signer(for credentials: Credentials) throws(KMSError) -> RequestSigner {
        if let signer, signer.identity == credentials.identity { return signer.value }
        let value = try RequestSigner(credentials)
        signer = (credentials.identity, value)
        return value
    }
}
