import Logging
import Platform
import PublicKeys

/// Everything of the client that happens on the curl thread: the fetches, from the first caller to the last answer.
///
/// ```
///  call ─▶ fetch: credentials ─▶ limiter ─▶ connection ─▶ sign ─▶ transfer ─▶ answer ─▶ calls
///                                  ▲──────── backoff ◀──────────────┘
/// ```
///
/// An actor whose executor is the curl thread. Calls come in by `CurlThread.submit`, so none needs a `Task`; what is
/// decided here is decided by values that take the time, and the methods carry it out.
actor KMSEngine {
    nonisolated let thread: CurlThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    let configuration: KMSClientConfiguration
    let clock: any TimeSource
    let logger: Logger
    let multi: CurlMulti
    let memo = PublicKeyMemo()
    var signers: SignerStore

    var calls: [Int: WaitingCall] = [:]
    var fetches: [Int: Fetch] = [:]
    var transfers: [TransferID: Int] = [:]
    /// Fetches that wait for a connection, first come, first served.
    var connectionQueue: [Int] = []
    var timers = DeadlineHeap<Timer>()
    var upstream = UpstreamStatus()
    /// The question to the metadata service that is under way.
    var metadataTransfer: TransferID?
    var nextFetch = 0

    /// What can be due.
    enum Timer: Hashable, Sendable {
        /// The end of a call's time.
        case deadline(call: Int)
        /// The end of a fetch's wait.
        case wait(fetch: Int)
    }

    init(
        _ configuration: KMSClientConfiguration, multi: sending CurlMulti, clock: any TimeSource, logger: Logger
    ) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        thread = CurlThread(waker: multi.waker, clock: clock)
        self.multi = multi
        signers = SignerStore(configuration.credentials)
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

    // MARK: Calls

    func begin(_ number: Int, _ query: PublicKeyQuery, arrival: Instant, _ completion: @escaping PublicKeyCompletion) {
        let deadline = arrival + query.timeout
        let request = PublicKeyRequest(keyTag: query.keyTag, version: query.version)
        let fetch = Fetch(number: nextFetch, request: request)
        nextFetch += 1
        fetches[fetch.number] = fetch
        calls[number] = WaitingCall(
            query: query, arrival: arrival, deadline: deadline, fetch: fetch.number, completion: completion)
        fetches[fetch.number]?.waiters.append(number)
        timers.insert(.deadline(call: number), due: deadline)
        advance(fetch.number)
    }

    func cancel(_ call: Int) {
        end(call, .failure(.cancelled))
    }

    /// Ends one call; its fetch goes on if others wait for it.
    private func end(_ number: Int, _ outcome: Result<PublicKeyAnswer, KMSError>) {
        guard let call = calls.removeValue(forKey: number) else { return }
        timers.remove(.deadline(call: number))
        fetches[call.fetch]?.waiters.removeAll { $0 == number }
        if fetches[call.fetch]?.waiters.isEmpty ?? false { abort(call.fetch) }
        call.completion(outcome.mapError { $0.about(call.query.keyTag) })
    }

    // MARK: The turn

    /// One step: what is due, then the transfers.
    func turn() -> CurlThread.TurnResult {
        let now = clock.now
        while let timer = timers.popDue(by: now) {
            switch timer {
            case .deadline(let call): deadlinePassed(call)
            case .wait(let fetch): advance(fetch)
            }
        }
        startTransfers()
        do {
            for completion in try multi.perform() { finish(completion) }
        } catch {
            logger.error("\(error.message)")
        }
        // What was started just now has not been performed yet.
        return startTransfers() ? .again : .sleep(until: timers.next)
    }

    private func deadlinePassed(_ call: Int) {
        guard let fetch = calls[call].flatMap({ fetches[$0.fetch] }) else { return }
        var error = KMSError.deadlineExceeded(while: fetch.activity)
        error.attempts = fetch.attempts
        end(call, .failure(error))
    }

    // MARK: Fetches

    /// Takes a fetch to its next layer, as far as it goes without waiting.
    private func advance(_ number: Int) {
        guard fetches[number] != nil else { return }
        switch signers.chain.next(now: clock.now) {
        case .ready(let credentials, let refresh):
            if let refresh { ask(refresh) }
            fetches[number]?.credentials = credentials
            fetches[number]?.phase = .connection
            connectionQueue.append(number)
        case .ask(let request):
            fetches[number]?.phase = .credentials
            ask(request)
        case .wait:
            fetches[number]?.phase = .credentials
        case .unavailable(let error):
            fail(number, error)
        }
    }

    /// Gives free connections to those who wait for one; true if any was given.
    @discardableResult
    private func startTransfers() -> Bool {
        var hasStarted = false
        while multi.freeConnections > 0, !connectionQueue.isEmpty {
            let number = connectionQueue.removeFirst()
            guard fetches[number]?.phase == .connection else { continue }
            startTransfer(number)
            hasStarted = true
        }
        return hasStarted
    }

    private func startTransfer(_ number: Int) {
        guard let fetch = fetches[number], let credentials = fetch.credentials else { return }
        let now = clock.now
        do throws(KMSError) {
            let headers = try signers.signer(for: credentials).headers(
                method: PublicKeyRequest.method, target: fetch.request.target,
                timestampMilliseconds: clock.wallClockMilliseconds)
            let transfer: TransferID
            do {
                transfer = try multi.start(httpRequest(fetch, headers, remaining: deadline(of: fetch) - now))
            } catch {
                throw KMSError(error)
            }
            transfers[transfer] = number
            fetches[number]?.phase = .transfer(transfer)
            fetches[number]?.attempts += 1
            fetches[number]?.started = fetch.started ?? now
            upstream.attempts += 1
        } catch {
            fail(number, error)
        }
    }

    private func httpRequest(
        _ fetch: Fetch, _ headers: [(name: String, value: String)], remaining: Duration
    ) -> HTTPRequest {
        let endpoint = configuration.endpoint
        return HTTPRequest(
            method: .post, baseURL: endpoint.description, target: fetch.request.target,
            headerLines: ["Content-Type: application/json"] + headers.map { "\($0.name): \($0.value)" },
            body: fetch.request.body,
            // A little more than remains, so that the end of a call's time is always told by its own timer.
            attemptTimeout: min(HTTPRequest.longestAttempt, remaining + .milliseconds(100)),
            isDirect: endpoint.isLoopback, allowsPlainHTTP: endpoint.isLoopback)
    }

    /// The last deadline of those who wait.
    private func deadline(of fetch: Fetch) -> Instant {
        fetch.waiters.compactMap { calls[$0]?.deadline }.max() ?? clock.now
    }

    private func finish(_ completion: CurlMulti.Completion) {
        if completion.id == metadataTransfer { return metadataAnswered(completion.outcome) }
        guard let number = transfers.removeValue(forKey: completion.id), let fetch = fetches[number] else { return }
        switch completion.outcome {
        case .failure(let failure):
            upstream.failures += 1
            fail(number, KMSError(failure))
        case .success(let response):
            switch ServiceAnswer(status: response.status, body: response.body) {
            case .publicKey(let pem):
                do throws(PublicKeyError) {
                    succeed(fetch, try memo.key(forPEM: Array(pem.utf8)), response)
                } catch {
                    fail(number, .invalidKey(error), response)
                }
            case .failure(let failure):
                upstream.failures += 1
                fail(number, failure.error, response)
            }
        }
    }

    private func succeed(_ fetch: Fetch, _ key: PublicKey, _ response: HTTPResponse) {
        fetches[fetch.number] = nil
        for waiter in fetch.waiters {
            guard let call = calls[waiter] else { continue }
            let age = call.arrival - (fetch.started ?? call.arrival)
            let answer = PublicKeyAnswer(
                keyTag: fetch.request.keyTag, version: fetch.request.version, key: key, source: .kms,
                age: max(age, .zero), attempts: fetch.attempts, requestID: response.headers.requestID)
            end(waiter, .success(answer))
        }
    }

    private func fail(_ number: Int, _ error: KMSError, _ response: HTTPResponse? = nil) {
        guard let fetch = fetches.removeValue(forKey: number) else { return }
        var error = error
        if fetch.attempts > 0 { error.attempts = fetch.attempts }
        error.httpStatus = error.httpStatus ?? response?.status
        error.requestID = response?.headers.requestID
        for waiter in fetch.waiters { end(waiter, .failure(error)) }
    }

    /// Drops a fetch that nobody waits for.
    private func abort(_ number: Int) {
        guard let fetch = fetches.removeValue(forKey: number) else { return }
        timers.remove(.wait(fetch: number))
        if case .transfer(let transfer) = fetch.phase {
            transfers[transfer] = nil
            multi.cancel(transfer)
        }
    }

    // MARK: The metadata service

    private func ask(_ request: MetadataRequest) {
        do {
            metadataTransfer = try multi.start(
                HTTPRequest(
                    method: .get, baseURL: request.endpoint.description, target: request.target,
                    attemptTimeout: MetadataRequest.timeout, connectTimeout: MetadataRequest.connectTimeout,
                    isDirect: true, allowsPlainHTTP: true))
        } catch {
            metadataFailed(error)
        }
    }

    private func metadataAnswered(_ outcome: Result<HTTPResponse, TransportFailure>) {
        metadataTransfer = nil
        switch outcome {
        case .failure(let failure):
            metadataFailed(failure)
        case .success(let response):
            let next = signers.chain.serverRole?.answered(
                status: response.status, body: response.body, now: clock.now,
                wallClockMilliseconds: clock.wallClockMilliseconds)
            if let next { ask(next) } else { resumeCredentialWaiters() }
        }
    }

    private func metadataFailed(_ failure: TransportFailure) {
        signers.chain.serverRole?.failed(failure.message, now: clock.now)
        resumeCredentialWaiters()
    }

    private func resumeCredentialWaiters() {
        for (number, fetch) in fetches where fetch.phase == .credentials { advance(number) }
    }

    // MARK: Status

    var status: ClientStatus {
        let credentials = signers.chain.credentials(now: clock.now).map {
            CredentialStatus(source: "\($0.source)", accessKeyID: $0.abbreviatedAccessKeyID)
        }
        return ClientStatus(credentials: credentials, clockSkew: .zero, upstream: upstream)
    }
}
