import KMSPlatform

/// The state of all fetches as a value, from the first call that needs a fetch to the last answer.
///
/// ```
///  call ─▶ join a fetch, or begin one
///          └▶ credentials ─▶ shared key ─▶ limiter ─▶ connection ─▶ transfer ─▶ store, and answer every call that joined
///                 ▲─────────────────────── backoff ◀────────────────┘
/// ```
///
/// It receives events with their times. `nextAction` says what to do, `nextDeparture` what to send. It reads no clock
/// and no file and sends nothing: the engine does that, and calls `due` at `nextDue`.
struct FetchMachine: ~Copyable {
    let configuration: Configuration
    private let policy: RetryPolicy
    /// Without limits for keys if there are shared budgets.
    var limiter: RateLimiter
    /// Nil: nothing is shared with other processes.
    var shared: SharedState?
    var quota: RetryQuota
    var skew: ClockSkew

    var fetches = FetchTable()
    var calls = SlotMap<WaitingCall>()
    private var deadlines = DeadlineHeap<WaitingCall>()
    var backoffs = DeadlineHeap<Fetch>()
    /// Fetches that wait for credentials, for the limiter, and for a connection.
    private var credentialQueue = WaitingList<FetchID>()
    private var tickets: [RateLimiter.Ticket: FetchID] = [:]
    private var connectionQueue = WaitingList<FetchID>()
    /// Fetches that wait for a connection again, because their attempt found no free descriptor. They go before the
    /// others, because they came first.
    private var returnedQueue = WaitingList<FetchID>()
    var connections: ConnectionSlots
    var actions = Queue<Action>()
    /// Attempts that may be sent.
    private var departures = Queue<FetchID>()

    var upstream = UpstreamStatus()
    /// Calls that joined another call's fetch.
    private(set) var coalesced = 0

    init(_ configuration: Configuration, now: Instant) {
        self.configuration = configuration
        policy = RetryPolicy(maximumAttempts: configuration.maximumAttempts)
        shared = configuration.shared.map(SharedState.init)
        limiter = RateLimiter(
            ratePerKey: shared == nil ? configuration.ratePerKey : 0, totalRate: configuration.totalRate)
        quota = RetryQuota(now: now)
        skew = ClockSkew(isEnabled: configuration.correctsClock)
        connections = ConnectionSlots(maximum: configuration.maximumConnections)
    }

    // MARK: What to do, and when

    /// The next thing to do, at once; nil if there is none.
    mutating func nextAction() -> Action? {
        while let action = actions.popFirst() {
            switch action {
            // Its fetch may have ended since.
            case .askCredentials(let id), .askOtherCredentials(let id, _):
                if fetches[id] != nil { return action }
            case .cancel, .store, .noteFailure, .report, .tell, .log, .engine: return action
            }
        }
        return shared?.nextRequest().map(Action.engine)
    }

    /// The next attempt to send; nil if there is none. It may wait until the engine has time. Afterwards call `started` or
    /// `notStarted`, and after `started` call `responded`, unless the attempt is cancelled.
    mutating func nextDeparture(now: Instant) -> Departure? {
        while let id = departures.popFirst() {
            guard let fetch = fetches[id], case .departure(let credentials) = fetch.phase else { continue }
            return Departure(
                fetch: id, request: fetch.request, credentials: credentials, clockOffset: skew.offset,
                needsNewConnection: fetch.lastFailure?.needsNewConnection ?? false,
                hasAnotherAttempt: fetch.progress.mayHaveAnotherAttempt(now: now, quota: &quota))
        }
        return nil
    }

    /// Whether `nextDeparture` may return an attempt.
    var hasDepartures: Bool { !departures.isEmpty }

    /// When to call `due` at the latest; nil if nothing is scheduled.
    func nextDue(now: Instant) -> Instant? {
        let admission = limiter.waiting > 0 ? limiter.nextAdmission(now: now) : nil
        let own = earliest(earliest(deadlines.next, backoffs.next), admission)
        return shared.map { earliest(own, $0.nextDue(now: now)) } ?? own
    }

    /// Handles everything that is due.
    mutating func due(now: Instant) {
        endTimes(now: now)
        shared?.due(now: now)
        if limiter.waiting > 0 {
            for ticket in limiter.admitDue(now: now) {
                if let id = tickets.removeValue(forKey: ticket), case .limiter(_, let credentials) = fetches[id]?.phase
                {
                    queueForConnection(id, credentials)
                }
            }
        }
        startAttempts(now: now)
    }

    /// Ends the calls whose time is up, and the backoffs that are over.
    mutating func endTimes(now: Instant) {
        while let next = earliest(deadlines.next, backoffs.next), next <= now {
            if deadlines.next == next, let call = deadlines.popDue(by: now) {
                timeEnded(call, now: now)
            } else if let fetch = backoffs.popDue(by: now) {
                askCredentials(fetch)
            }
        }
    }

    // MARK: Calls

    /// A call that the cache could not answer: it joins a current fetch whose answer will be young enough, or begins
    /// one.
    ///
    /// - Parameter credentials: the credentials for a fetch that begins now.
    mutating func call(_ call: WaitingCall, _ credentials: CredentialAnswer, now: Instant) -> CallID {
        let request = call.query.request
        let limit = AgeLimit(call.query.maxAge, timeToLive: configuration.timeToLive)
        let joined = fetches.newest(for: request, credentials.identity) { id, fetch in
            if case .shared = fetch.phase { return limit.maximumAge >= shared?.limit(of: id) ?? .zero }
            return fetch.start.map { limit.accepts(fetchStart: $0, arrival: call.arrival) } ?? true
        }
        guard let joined else { return begin(call, credentials, now: now) }
        coalesced += 1
        let id = join(joined, call)
        if fetches[joined]?.waitsForLimiter ?? false { report(.waitingForLimiter, to: [id]) }
        shared?.joined(joined, request.keyTag, deadline: call.deadline, now: now)
        if let error = refusal(of: joined, deadline: call.deadline, now: now) { leave(id, .failure(error), now: now) }
        return id
    }

    /// A key is about to expire: fetches it although no call waits for it, unless a fetch for it is already under way.
    mutating func refresh(_ request: PublicKeyRequest, _ credentials: CredentialAnswer, now: Instant) {
        guard fetches.newest(for: request, credentials.identity, where: { _, _ in true }) == nil else { return }
        begin(WaitingCall(refreshing: request, now: now), credentials, now: now)
    }

    @discardableResult
    private mutating func begin(_ call: WaitingCall, _ credentials: CredentialAnswer, now: Instant) -> CallID {
        let fetch = fetches.insert(Fetch(call.query.request, policy: policy))
        let id = join(fetch, call)
        proceed(fetch, with: credentials, now: now)
        startAttempts(now: now)
        return id
    }

    private mutating func join(_ fetch: FetchID, _ call: WaitingCall) -> CallID {
        let id = calls.insert(call.joining(fetch))
        fetches[fetch]?.waiters.append(id)
        deadlines.insert(id, due: call.deadline)
        return id
    }

    /// Why a call that joined a fetch would wait in vain: the fetch can't proceed before the call's deadline.
    private func refusal(of id: FetchID, deadline: Instant, now: Instant) -> KMSError? {
        guard let fetch = fetches[id] else { return nil }
        switch fetch.phase {
        case .limiter(let ticket, _):
            guard let turn = limiter.turn(of: ticket, now: now), turn >= deadline else { return nil }
            return fetch.errorWithoutTime(toWait: turn - now)
        case .budget:
            guard let turn = shared?.turn(of: id, fetch.request.keyTag, now: now), turn >= deadline else { return nil }
            return fetch.errorWithoutTime(toWait: turn - now)
        case .backoff(let end):
            return end >= deadline ? fetch.errorWithoutTime(toWait: end - now) : nil
        case .credentials, .shared, .connection, .departure, .transfer, .answered, .refused: return nil
        }
    }

    /// The caller does not need the answer any more. Does nothing if the call has ended.
    mutating func cancel(_ call: CallID, now: Instant) {
        leave(call, .failure(.cancelled), now: now)
        startAttempts(now: now)
    }

    private mutating func timeEnded(_ call: CallID, now: Instant) {
        guard let id = calls[call]?.fetch, let fetch = fetches[id] else { return }
        if case .transfer = fetch.phase {
            return leave(call, .timedOut(id, attempts: fetch.progress.attempts), now: now)
        }
        let activity: KMSError.Activity =
            switch fetch.phase {
            case .credentials, .refused: .waitingForCredentials
            case .shared: .waitingForSharedKey
            case .budget, .limiter: .waitingForLimiter
            case .connection, .departure: .waitingForConnection
            case .transfer, .answered: .waitingForAnswer
            case .backoff: .waitingToRepeat
            }
        var error = KMSError.deadlineExceeded(while: activity)
        if fetch.progress.attempts > 0 { error.attempts = fetch.progress.attempts }
        leave(call, .failure(error), now: now)
    }

    /// Ends one call during its fetch. The fetch continues if other calls wait for it, otherwise it is dropped.
    mutating func leave(_ call: CallID, _ outcome: Outcome, now: Instant) {
        guard let id = calls[call]?.fetch else { return }
        // Before the attempt is cancelled, because the outcome may refer to it.
        end(call, outcome)
        let known = calls
        fetches[id]?.waiters.left { known[$0] != nil }
        guard fetches[id]?.waiters.isEmpty ?? false else { return }
        let hadAttempt = drop(id, now: now)
        // A call that waited in vain counts as a failure of the service; a cancelled call did not wait.
        if hadAttempt, case .timedOut = outcome { upstream.failures += 1 }
    }

    mutating func end(_ id: CallID, _ outcome: Outcome) {
        guard let call = calls.remove(id) else { return }
        deadlines.remove(id)
        if !call.isRefresh { actions.append(.tell(call, outcome)) }
    }

    /// Ends a fetch that no call waits for, in whatever state it is.
    ///
    /// - Returns: whether an attempt was cut off.
    @discardableResult
    private mutating func drop(_ id: FetchID, now: Instant) -> Bool {
        guard var fetch = fetches.remove(id) else { return false }
        fetch.progress.ended(now: now, quota: &quota)
        shared?.failed(id, fetch.request, fetch.identity, nil, now: now)
        switch fetch.phase {
        case .credentials:
            let known = fetches
            credentialQueue.left { if case .credentials = known[$0]?.phase { true } else { false } }
        case .limiter(let ticket, _):
            tickets[ticket] = nil
            limiter.cancel(ticket)
        case .budget:
            shared?.leave(id, fetch.request.keyTag)
        case .connection(_, let isReturned):
            let known = fetches
            let isWaiting = { (id: FetchID) in if case .connection = known[id]?.phase { true } else { false } }
            if isReturned { returnedQueue.left(isWaiting) } else { connectionQueue.left(isWaiting) }
        case .departure:
            connections.release()
        case .transfer:
            connections.release()
            actions.append(.cancel(id))
            return true
        case .backoff:
            backoffs.remove(id)
        case .shared, .answered, .refused: break
        }
        return false
    }

    /// Ends every call, because `due` will not be called again.
    mutating func shutDown(now: Instant) {
        for id in fetches.ids {
            let waiters = fetches[id]?.waiters
            drop(id, now: now)
            for call in waiters?.places ?? [] { end(call, .failure(.shuttingDown)) }
        }
    }

    // MARK: From a new or repeated fetch to an attempt

    private mutating func askCredentials(_ id: FetchID) {
        fetches[id]?.phase = .credentials
        actions.append(.askCredentials(id))
    }

    /// The answer to `askCredentials`.
    mutating func credentials(_ answer: CredentialAnswer, for id: FetchID, now: Instant) {
        guard case .credentials = fetches[id]?.phase else { return }
        proceed(id, with: answer, now: now)
        startAttempts(now: now)
    }

    /// The metadata service has answered, or failed to: the fetches that wait for it request credentials again.
    mutating func credentialsMayBeThere() {
        for id in credentialQueue.places {
            if case .credentials = fetches[id]?.phase { actions.append(.askCredentials(id)) }
        }
        credentialQueue = WaitingList()
    }

    mutating func proceed(_ id: FetchID, with answer: CredentialAnswer, now: Instant) {
        switch answer {
        case .found(let credentials):
            fetches[id]?.identity = credentials.identity
            if shared == nil || !lookUpShared(id, credentials, now: now) { admit(id, credentials, now: now) }
        case .awaited:
            fetches[id]?.phase = .credentials
            fetches[id]?.identity = nil
            credentialQueue.append(id)
        case .unavailable(let error):
            fail(id, error, now: now)
        }
    }

    mutating func admit(_ id: FetchID, _ credentials: Credentials, now: Instant) {
        guard shared == nil else { return joinBudget(id, credentials, now: now) }
        passLimiter(id, credentials, now: now)
    }

    mutating func passLimiter(_ id: FetchID, _ credentials: Credentials, now: Instant) {
        guard let fetch = fetches[id] else { return }
        switch limiter.admit(fetch.request.keyTag, now: now, deadline: deadline(of: fetch, now: now)) {
        case .now:
            queueForConnection(id, credentials)
        case .waiting(let ticket):
            fetches[id]?.phase = .limiter(ticket, credentials)
            tickets[ticket] = id
            if let turn = limiter.turn(of: ticket, now: now) { endCalls(of: id, dueBy: turn, now: now) }
            report(.waitingForLimiter, to: fetches[id]?.waiters.places ?? [])
        case .refused(let retryAfter):
            fail(id, fetch.errorWithoutTime(toWait: retryAfter), now: now)
        }
    }

    /// No connection could be opened for an attempt while others are under way: it waits for one of their connections,
    /// as if it had not begun. Neither the service nor the fetch is at fault.
    mutating func queueAgain(_ id: FetchID, _ attempt: Fetch.Attempt) {
        fetches[id]?.progress.attemptNotSent()
        upstream.attempts -= 1
        if fetches[id]?.progress.attempts ?? 0 > 0 { upstream.retries -= 1 }
        if fetches[id]?.progress.attempts == 0 { fetches[id]?.start = nil }
        // Those that are kept are what it waits for. The one that was dead is closed.
        fetches[id]?.lastFailure?.needsNewConnection = false
        fetches[id]?.phase = .connection(attempt.credentials, isReturned: true)
        returnedQueue.append(id)
    }

    private mutating func queueForConnection(_ id: FetchID, _ credentials: Credentials) {
        fetches[id]?.phase = .connection(credentials, isReturned: false)
        connectionQueue.append(id)
    }

    /// Gives free connections to the fetches that wait for one and have time left.
    mutating func startAttempts(now: Instant) {
        endTimes(now: now)
        if shared != nil { settleShared(now: now) }
        // Taken out while the machine works on them.
        var returned = WaitingList<FetchID>()
        swap(&returned, &returnedQueue)
        startAttempts(from: &returned)
        swap(&returned, &returnedQueue)
        var queue = WaitingList<FetchID>()
        swap(&queue, &connectionQueue)
        startAttempts(from: &queue)
        swap(&queue, &connectionQueue)
    }

    private mutating func startAttempts(from queue: inout WaitingList<FetchID>) {
        var passed = 0
        var served = 0
        while connections.free > 0, passed < queue.places.count {
            let id = queue.places[passed]
            passed += 1
            guard case .connection(let credentials, _) = fetches[id]?.phase else { continue }
            served += 1
            connections.take()
            fetches[id]?.phase = .departure(credentials)
            departures.append(id)
        }
        if passed > 0 { queue.removeFirst(passed, waiting: served) }
    }

    /// The attempt was handed to the transport.
    mutating func started(_ departure: Departure, now: Instant) {
        let id = departure.fetch
        guard let fetch = fetches[id], case .departure(let credentials) = fetch.phase else { return }
        upstream.attempts += 1
        if fetch.progress.attempts > 0 { upstream.retries += 1 }
        fetches[id]?.phase = .transfer(
            Fetch.Attempt(credentials: credentials, clockOffset: departure.clockOffset))
        fetches[id]?.progress.attemptStarted()
        reportAttempt(of: id)
        if fetch.start == nil { fetches[id]?.start = now }
    }

    /// The attempt of a fetch could not be signed or started.
    mutating func notStarted(_ id: FetchID, _ error: KMSError, now: Instant) {
        guard case .departure = fetches[id]?.phase else { return }
        connections.release()
        fail(id, error, now: now)
        startAttempts(now: now)
    }

    // MARK: Figures

    /// Added to this machine's clock in signatures.
    var clockOffset: Duration { skew.offset }
    /// Attempts that wait for the rate limiter.
    var limiterWaiting: Int { limiter.waiting + (shared?.waiting ?? 0) }

    mutating func quotaStatus(now: Instant) -> RetryQuotaStatus {
        RetryQuotaStatus(available: quota.available(now: now), capacity: RetryQuota.capacity)
    }
}
