import Platform
import PublicKeys

/// From the end of a transfer to the end of its calls, or to another attempt.
extension KMSEngine {
    func finish(_ completion: CurlMulti.Completion) {
        if completion.id == metadataTransfer { return metadataEnded(completion.outcome) }
        guard let id = transfers.removeValue(forKey: completion.id), let fetch = fetches[id] else { return }
        let outcome = completion.outcome.map { response in
            var response = response
            // It is shown as it came, so it must not be what we sent.
            response.headers.requestID = response.headers.requestID.flatMap {
                fetch.sent.areRepeated(in: $0) ? nil : $0
            }
            return response
        }
        logEnd(fetch, outcome)
        switch outcome {
        case .failure(let failure):
            fetch.needsNewConnection = failure.needsNewConnection
            attemptFailed(fetch, KMSError(failure), failure.repetition.repetition)
        case .success(let response):
            fetch.needsNewConnection = false
            finish(fetch, response)
        }
    }

    private func finish(_ fetch: Fetch, _ response: HTTPResponse) {
        latency.record(.nanoseconds(response.timing.total * 1_000))
        switch ServiceAnswer(status: response.status, body: response.body, to: fetch.sent) {
        case .publicKey(let pem):
            do throws(PublicKeyError) {
                let key = try memo.key(forPEM: pem)
                observeClock(response, of: fetch, isRefusal: false)
                succeed(fetch, key, response)
            } catch {
                attemptFailed(fetch, .invalidKey(error), .once, response)
            }
        case .failure(let failure):
            attemptFailed(fetch, failure.error, failure.repetition, response)
        }
    }

    private func succeed(_ fetch: Fetch, _ key: PublicKey, _ response: HTTPResponse) {
        let now = clock.now
        fetch.progress.succeeded(now: now, quota: &retryQuota)
        let start = table.start(of: fetch.id) ?? now
        let fetched = FetchedKey(
            key: key, attempts: fetch.progress.attempts, requestID: response.headers.requestID)
        if let identity = fetch.credentials?.identity {
            cache.store(fetched, for: fetch.request, identity, fetchStart: start)
        }
        fetches[fetch.id] = nil
        for number in table.end(fetch.id) {
            guard let call = calls[number] else { continue }
            let age = max(call.arrival - start, .zero)
            end(number, .success(PublicKeyAnswer(call.query, fetched, source: .kms, age: age)))
        }
    }

    // MARK: Failures

    private func attemptFailed(
        _ fetch: Fetch, _ error: KMSError, _ repetition: Repetition, _ response: HTTPResponse? = nil
    ) {
        let now = clock.now
        upstream.failures += 1
        // Those whose time is over hear that, not how an attempt ended in the same moment.
        fireTimers(now: now)
        guard fetches[fetch.id] != nil else { return }
        var error = error
        error.httpStatus = error.httpStatus ?? response?.status
        error.requestID = response?.headers.requestID
        if error.code == .authenticationFailed, let advice = fetch.credentials?.adviceOnQuotationMarks {
            error.message += " \(advice)"
        }
        fetch.lastError = error

        if repetition == .afterThrottling {
            upstream.throttled += 1
            limiter.throttled(fetch.request.keyTag, now: now)
        }
        if let response {
            let isRefusal = repetition == .afterReauthentication
            // A token says nothing of the time, so its refusal is not the clock's fault.
            let outcome = observeClock(response, of: fetch, isRefusal: isRefusal && fetch.isSignedWithTime)
            if isRefusal, repeatsAfterReauthentication(fetch, outcome) {
                return advance(fetch.id)
            }
        }

        let hint = response.flatMap { retryAfter($0) }
        let decision = fetch.progress.decide(
            after: repetition, hint: hint, now: now, deadline: deadline(of: fetch), random: random(),
            quota: &retryQuota)
        switch decision {
        case .retry(let delay):
            fetch.phase = .backoff(until: now + delay)
            timers.insert(.backoff(fetch.id), due: now + delay)
            logRetry(fetch, after: delay, error, isThrottled: repetition == .afterThrottling)
        case .stop(let reason, let retryAfter):
            if reason != .notRetryable { error.reason = error.reason ?? reason.rawValue }
            error.retryAfter = error.retryable ? retryAfter : nil
            fail(fetch.id, error)
        }
    }

    /// Whether a refused attempt is to be repeated at once, with another clock or other credentials.
    private func repeatsAfterReauthentication(_ fetch: Fetch, _ outcome: ClockSkew.Outcome) -> Bool {
        if case .corrected = outcome, fetch.progress.repeatsOnce(for: .clockSkew) { return true }
        guard let refused = fetch.credentials?.identity else { return false }
        do {
            guard let others = try signers.chain.replacement(for: refused, now: clock.now),
                fetch.progress.repeatsOnce(for: .newCredentials)
            else { return false }
            logReauthentication(fetch, others)
            return true
        } catch {
            logger.warning("credentials could not be read again", metadata: ["error": "\(error.message)"])
            return false
        }
    }

    /// Ends a fetch without a key.
    func fail(_ id: Fetches.FetchID, _ error: KMSError) {
        guard let fetch = fetches.removeValue(forKey: id) else { return }
        fetch.progress.ended(now: clock.now, quota: &retryQuota)
        if let start = table.start(of: id), let identity = fetch.credentials?.identity {
            cache.fetchFailed(error.code, for: fetch.request, identity, fetchStart: start)
        }
        var error = error
        if fetch.progress.attempts > 0 { error.attempts = fetch.progress.attempts }
        for number in table.end(id) { end(number, .failure(error)) }
    }

    // MARK: The service's clock

    @discardableResult
    private func observeClock(_ response: HTTPResponse, of fetch: Fetch, isRefusal: Bool) -> ClockSkew.Outcome {
        // The date need not be read as long as the clocks agree.
        guard isRefusal || skew.offset != .zero else { return .unchanged }
        let received = response.received
        let outcome = skew.observe(
            ClockSkew.Sample(
                serverDate: response.serverDate, hasAge: response.headers.age != nil,
                receivedMilliseconds: received.wallClockMilliseconds,
                roundTrip: received.instant - response.sent, signedWith: fetch.signedOffset,
                isRefusal: isRefusal))
        logSkew(outcome, fetch)
        return outcome
    }

    /// What `Retry-After` asks for; a date in it is measured by the clock of the server that wrote it.
    private func retryAfter(_ response: HTTPResponse) -> Duration? {
        response.headers.retryAfter.flatMap {
            RetryAfter.delay(of: $0, now: response.serverDate ?? response.received.wallClockMilliseconds)
        }
    }
}

extension TransportFailure.Repetition {
    /// In the terms of the retry policy.
    fileprivate var repetition: Repetition {
        switch self {
        case .allowed: .afterBackoff
        case .once: .once
        case .never: .never
        }
    }
}
