import KMSPlatform
import KMSPublicKeys

/// From the end of an attempt to the end of its calls, or to another attempt; and the reports of all that.
extension FetchMachine {
    /// The attempt of a fetch has ended.
    mutating func responded(_ id: FetchID, _ outcome: AttemptOutcome, now: Instant) {
        guard case .transfer(let attempt) = fetches[id]?.phase else { return }
        if case .failure(let failure) = outcome.result, failure.hadNoDescriptor {
            let isNews = connections.missing == 0
            if connections.lacked(now: now) {
                if isNews { log(.connectionsLimited(to: connections.used), id) }
                queueAgain(id, attempt)
                return startAttempts(now: now)
            }
        } else {
            connections.ended(now: now)
        }
        fetches[id]?.phase = .answered
        switch outcome.result {
        case .success(let key):
            if let response = outcome.response { observeClock(response, id, attempt, isRefusal: false) }
            succeed(id, key, attempt, outcome.response, now: now)
        case .failure(let failure):
            attemptFailed(id, failure, attempt, outcome.response, now: now)
        }
        startAttempts(now: now)
    }

    private mutating func succeed(
        _ id: FetchID, _ key: PublicKey, _ attempt: Fetch.Attempt, _ response: HTTPResponse?, now: Instant
    ) {
        guard let fetch = fetches.remove(id) else { return }
        fetch.progress.succeeded(now: now, quota: &quota)
        let start = fetch.start ?? now
        let fetched = FetchedKey(
            key: key, attempts: fetch.progress.attempts, requestID: response?.headers.requestID)
        shared?.fetched(
            id, fetch.request, attempt.credentials, fetched,
            startedAt: response?.serviceTime(of: start), age: now - start, now: now)
        answer(fetch, fetched, attempt.credentials, .kms, start: start)
    }

    /// Stores a key, and answers every call that waits for it.
    private mutating func answer(
        _ fetch: Fetch, _ fetched: FetchedKey, _ credentials: Credentials, _ source: PublicKeyAnswer.Source,
        start: Instant
    ) {
        actions.append(.store(fetched, CacheKey(fetch.request, credentials.identity), fetchStart: start))
        for waiter in fetch.waiters.places {
            guard let arrival = calls[waiter]?.arrival else { continue }
            end(waiter, .key(fetched, source: source, age: max(arrival - start, .zero)))
        }
    }

    private mutating func attemptFailed(
        _ id: FetchID, _ failure: AttemptFailure, _ attempt: Fetch.Attempt, _ response: HTTPResponse?, now: Instant
    ) {
        upstream.failures += 1
        // Calls whose time is up get that as their error, not the failure of an attempt that ended at the same moment.
        endTimes(now: now)
        guard let request = fetches[id]?.request else { return }
        var error = failure.error
        error.httpStatus = error.httpStatus ?? response?.status
        error.requestID = response?.headers.requestID
        if error.code == .authenticationFailed, let advice = attempt.credentials.adviceOnQuotationMarks {
            error.message += " \(advice)"
        }
        fetches[id]?.lastFailure = Fetch.Failure(error: error, needsNewConnection: failure.needsNewConnection)

        if failure.repetition == .afterThrottling {
            upstream.throttled += 1
            limiter.throttled(request.keyTag, now: now)
            shared?.throttled(request.keyTag, now: now)
        }
        let isRefusal = failure.repetition == .afterReauthentication
        if let response {
            // A token does not depend on the time, so its refusal is not the clock's fault.
            let clock = observeClock(
                response, id, attempt, isRefusal: isRefusal && attempt.credentials.areSignedWithTime)
            if isRefusal, case .corrected = clock, fetches[id]?.progress.repeatsOnce(for: .clockSkew) ?? false {
                return repeatAtOnce(id, attempt.credentials, now: now)
            }
        }
        if isRefusal {
            fetches[id]?.phase = .refused(error)
            actions.append(.askOtherCredentials(id, than: attempt.credentials.identity))
        } else {
            repeatOrFail(id, error, failure.repetition, hint: response?.retryAfter, now: now)
        }
    }

    /// The answer to `askOtherCredentials`: nil if there are none.
    mutating func otherCredentials(_ others: Credentials?, for id: FetchID, now: Instant) {
        guard case .refused(let error) = fetches[id]?.phase else { return }
        if let others, fetches[id]?.progress.repeatsOnce(for: .newCredentials) ?? false {
            log(.reauthenticated(others), id)
            repeatAtOnce(id, others, now: now)
        } else {
            repeatOrFail(id, error, .afterReauthentication, hint: nil, now: now)
        }
        startAttempts(now: now)
    }

    /// Repeats a refused attempt, because the reason of the refusal has changed.
    private mutating func repeatAtOnce(_ id: FetchID, _ credentials: Credentials, now: Instant) {
        fetches[id]?.lastFailure = nil
        proceed(id, with: .found(credentials), now: now)
    }

    private mutating func repeatOrFail(
        _ id: FetchID, _ error: KMSError, _ repetition: Repetition, hint: Duration?, now: Instant
    ) {
        guard let deadline = fetches[id].map({ self.deadline(of: $0, now: now) }) else { return }
        let decision = fetches[id]?.progress.decide(
            after: repetition, hint: hint, now: now, deadline: deadline, random: configuration.random(), quota: &quota)
        switch decision {
        case .retry(let delay):
            let end = now + delay
            fetches[id]?.phase = .backoff(until: end)
            backoffs.insert(id, due: end)
            log(.failed(error, repeatedAfter: delay, isThrottled: repetition == .afterThrottling), id)
            endCalls(of: id, dueBy: end, retryAfter: max(delay, hint ?? .zero), now: now)
        case .stop(let reason, let retryAfter):
            var error = error
            if reason != .notRetryable { error.reason = error.reason ?? reason.rawValue }
            error.retryAfter = error.isRetryable ? retryAfter : nil
            fail(id, error, now: now)
        case nil: return
        }
    }

    /// Ends the calls whose time runs out before the next attempt of their fetch, because they would wait in vain.
    ///
    /// - Parameter retryAfter: the value for their errors; nil: the time until the next attempt.
    mutating func endCalls(of id: FetchID, dueBy end: Instant, retryAfter: Duration? = nil, now: Instant) {
        guard let fetch = fetches[id] else { return }
        let error = fetch.errorWithoutTime(toWait: retryAfter ?? end - now)
        for waiter in fetch.waiters.places {
            if let call = calls[waiter], call.deadline <= end { leave(waiter, .failure(error), now: now) }
        }
    }

    /// Ends a fetch without a key.
    mutating func fail(_ id: FetchID, _ error: KMSError, now: Instant) {
        guard var fetch = fetches.remove(id) else { return }
        fetch.progress.ended(now: now, quota: &quota)
        shared?.failed(id, fetch.request, fetch.identity, error, now: now)
        if let start = fetch.start, let identity = fetch.identity {
            actions.append(.noteFailure(error.code, CacheKey(fetch.request, identity), fetchStart: start))
        }
        var error = error
        if fetch.progress.attempts > 0 { error.attempts = fetch.progress.attempts }
        for waiter in fetch.waiters.places { end(waiter, .failure(error)) }
    }

    /// The time after which no call waits for a fetch.
    func deadline(of fetch: Fetch, now: Instant) -> Instant {
        var last: Instant?
        for waiter in fetch.waiters.places {
            if let deadline = calls[waiter]?.deadline { last = max(last ?? deadline, deadline) }
        }
        return last ?? now
    }

    // MARK: The shared engine

    /// Looks for the key of another process, unless the fetch has done so.
    ///
    /// - Returns: whether the fetch waits for the outcome.
    mutating func lookUpShared(_ id: FetchID, _ credentials: Credentials, now: Instant) -> Bool {
        guard let fetch = fetches[id], fetch.progress.attempts == 0, shared?.limit(of: id) == nil else { return false }
        // Calls join while credentials are awaited.
        let waiting = fetch.waiters.places.lazy.compactMap { [calls] in calls[$0] }
        let lookUp = SharedLookUp(for: waiting, timeToLive: configuration.timeToLive)
        let waits = shared?.lookUp(id, fetch.request, credentials, lookUp, now: now) ?? false
        if waits { fetches[id]?.phase = .shared(credentials) }
        return waits
    }

    mutating func joinBudget(_ id: FetchID, _ credentials: Credentials, now: Instant) {
        guard let fetch = fetches[id] else { return }
        let end = deadline(of: fetch, now: now)
        fetches[id]?.phase = .budget(credentials)
        shared?.join(id, fetch.request.keyTag, deadline: end, now: now)
    }

    /// Does what the shared state has decided about fetches.
    mutating func settleShared(now: Instant) {
        while let verdict = shared?.nextVerdict() {
            switch verdict {
            case .found(let id, let key, let start):
                guard case .shared(let credentials) = fetches[id]?.phase, let fetch = fetches.remove(id) else { break }
                answer(fetch, key, credentials, .shared, start: start)
            case .notFound(let id):
                if case .shared(let credentials) = fetches[id]?.phase { admit(id, credentials, now: now) }
            case .givenUp(let id):
                guard case .shared = fetches[id]?.phase else { break }
                for waiter in fetches[id]?.waiters.places ?? [] { leave(waiter, .failure(.cancelled), now: now) }
            case .admitted(let id):
                if case .budget(let credentials) = fetches[id]?.phase { passLimiter(id, credentials, now: now) }
            case .turn(let id, let turn):
                guard case .budget = fetches[id]?.phase, turn > now else { break }
                endCalls(of: id, dueBy: turn, now: now)
                report(.waitingForLimiter, to: fetches[id]?.waiters.places ?? [])
            }
        }
    }

    mutating func engineConnected(now: Instant) {
        shared?.connected(now: now)
        startAttempts(now: now)
    }

    mutating func engineLost(_ loss: EngineLoss, now: Instant) {
        shared?.lost(loss, now: now)
        startAttempts(now: now)
    }

    /// - Parameter wallClock: this machine's, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Returns: why the engine can't be used any more; nil if it can. Then close the connection, and call `engineLost`.
    mutating func engineReplied(
        _ question: EngineDialogue.QuestionID, _ reply: EngineReply, now: Instant, wallClock: Int64
    ) -> EngineLoss? {
        let loss = shared?.replied(question, reply, now: now, wallClock: skew.corrected(wallClock))
        startAttempts(now: now)
        return loss
    }

    // MARK: The service's clock

    @discardableResult
    private mutating func observeClock(
        _ response: HTTPResponse, _ id: FetchID, _ attempt: Fetch.Attempt, isRefusal: Bool
    ) -> ClockSkew.Outcome {
        // The date need not be evaluated as long as the clocks agree.
        guard isRefusal || skew.offset != .zero else { return .unchanged }
        let outcome = skew.observe(response.clockSample(signedWith: attempt.clockOffset, isRefusal: isRefusal))
        switch outcome {
        case .unchanged, .corrected(isNews: false): break
        case .cleared, .corrected(isNews: true): log(.clockDiffers(by: skew.offset), id)
        }
        return outcome
    }

    // MARK: Reports

    /// Reports progress to those calls that want it, and have not been told the same last.
    mutating func report(_ activity: FetchProgress.Activity, to waiters: [CallID]) {
        for waiter in waiters {
            guard let call = calls[waiter], call.progress != nil, call.lastReport != activity else { continue }
            calls[waiter]?.lastReport = activity
            let progress = FetchProgress(activity: activity, maximumAttempts: configuration.maximumAttempts)
            actions.append(.report(call, progress))
        }
    }

    /// An attempt of a fetch has begun.
    mutating func reportAttempt(of id: FetchID) {
        guard let fetch = fetches[id] else { return }
        guard fetch.progress.attempts > 1 else {
            // It goes without saying, but a wait after it is another one than the wait before it.
            for waiter in fetch.waiters.places { calls[waiter]?.lastReport = nil }
            return
        }
        report(.attempt(fetch.progress.attempts), to: fetch.waiters.places)
    }

    // MARK: The log

    mutating func log(_ event: FetchEvent, _ id: FetchID) {
        if let description = description(of: id) { actions.append(.log(event, description)) }
    }

    /// Identifies a fetch in the log; nil if it has ended.
    func description(of id: FetchID) -> FetchDescription? {
        guard let fetch = fetches[id] else { return nil }
        var labels: [String?] = []
        for waiter in fetch.waiters.places where labels.count <= FetchDescription.maximumLabels {
            if let call = calls[waiter], !call.isRefresh { labels.append(call.label) }
        }
        return FetchDescription(
            request: fetch.request, attempts: fetch.progress.attempts,
            labels: Array(labels.prefix(FetchDescription.maximumLabels)),
            hasMoreCalls: labels.count > FetchDescription.maximumLabels)
    }
}
