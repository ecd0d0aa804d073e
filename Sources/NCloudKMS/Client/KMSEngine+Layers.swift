import Platform

/// From a new fetch, or one that is to be repeated, to a running transfer.
extension KMSEngine {
    /// Takes a fetch from the top of the layers as far as it goes without waiting. Every attempt passes here.
    func advance(_ id: Fetches.FetchID) {
        guard let fetch = fetches[id] else { return }
        let now = clock.now
        let step = signers.chain.next(now: now)
        logCredentialFiles()
        switch step {
        case .ready(let credentials, let refresh):
            cache.use(credentials.identity)
            table.move(id, to: FetchKey(request: fetch.request, identity: credentials.identity))
            fetch.credentials = credentials
            if let refresh { ask(refresh) }
            admit(fetch, now: now)
        case .ask(let request):
            fetch.phase = .credentials
            credentialQueue.append(id)
            ask(request)
        case .wait:
            fetch.phase = .credentials
            credentialQueue.append(id)
        case .unavailable(let error):
            fail(id, error)
        }
    }

    private func admit(_ fetch: Fetch, now: Instant) {
        switch limiter.admit(fetch.request.keyTag, now: now, deadline: deadline(of: fetch)) {
        case .now:
            queueForConnection(fetch)
        case .waiting(let ticket):
            fetch.phase = .limiter(ticket)
            tickets[ticket] = fetch.id
        case .refused(let retryAfter):
            fail(fetch.id, fetch.errorWithoutTime(toWait: retryAfter))
        }
    }

    /// Lets those pass whose turn at the limiter has come.
    func admitDue(now: Instant) {
        guard limiter.waiting > 0 else { return }
        for ticket in limiter.admitDue(now: now) {
            if let fetch = tickets.removeValue(forKey: ticket).flatMap({ fetches[$0] }) { queueForConnection(fetch) }
        }
    }

    private func queueForConnection(_ fetch: Fetch) {
        fetch.phase = .connection
        connectionQueue.append(fetch.id)
    }

    /// Gives free connections to those who wait for one; true if any was given.
    @discardableResult
    func startTransfers() -> Bool {
        var given = 0
        var hasStarted = false
        while transfers.count < configuration.maximumConnections, given < connectionQueue.count {
            let id = connectionQueue[given]
            given += 1
            guard let fetch = fetches[id], fetch.phase == .connection else { continue }
            startTransfer(fetch)
            hasStarted = true
        }
        connectionQueue.removeFirst(given)
        return hasStarted
    }

    private func startTransfer(_ fetch: Fetch) {
        guard let credentials = fetch.credentials else { return }
        let now = clock.now
        let timestamp = skew.corrected(clock.wallClockMilliseconds)
        do throws(KMSError) {
            let target = fetch.request.target
            let headers = try signers.signer(for: credentials).headers(
                method: PublicKeyRequest.method, target: target,
                timestampMilliseconds: timestamp)
            let transfer = try start(httpRequest(fetch, target: target, headers))
            transfers[transfer] = fetch.id
            fetch.phase = .transfer(transfer)
            fetch.progress.attemptStarted()
            if fetch.progress.attempts > 1 { upstream.retries += 1 }
            fetch.signature = headers.first { $0.name == RequestSigner.signatureHeader }?.value
            fetch.signedOffset = skew.offset
            table.started(fetch.id, now: now)
            upstream.attempts += 1
            logStart(fetch, timestampMilliseconds: timestamp)
        } catch {
            fail(fetch.id, error)
        }
    }

    private func start(_ request: HTTPRequest) throws(KMSError) -> TransferID {
        do {
            return try multi.start(request)
        } catch {
            throw KMSError(error)
        }
    }

    /// The attempt has the longest time that one may have: who joins later may wait longer than those who wait now, and
    /// the last whose time ends aborts it.
    private func httpRequest(
        _ fetch: Fetch, target: String, _ headers: [HTTPRequest.Header]
    ) -> HTTPRequest {
        HTTPRequest(
            method: .post, baseURL: service.baseURL, target: target,
            headers: [("Content-Type", "application/json")] + headers,
            body: fetch.request.body,
            needsNewConnection: fetch.needsNewConnection,
            hasAnotherAttempt: fetch.progress.mayHaveAnotherAttempt(now: clock.now, quota: &retryQuota),
            isDirect: service.isLoopback, allowsPlainHTTP: service.isLoopback)
    }
}
