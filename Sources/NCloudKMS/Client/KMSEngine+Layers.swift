import Platform

/// From a new fetch, or one that is to be repeated, to a running transfer.
extension KMSEngine {
    /// Takes a fetch from the top of the layers as far as it goes without waiting. Every attempt passes here.
    func advance(_ id: Fetches.FetchID) {
        guard let fetch = fetches[id] else { return }
        let step = signers.chain.next(now: clock.now)
        logTokenFileProblem()
        switch step {
        case .ready(let credentials, let refresh):
            cache.use(credentials.identity)
            table.move(id, to: FetchKey(request: fetch.request, identity: credentials.identity))
            fetches[id]?.credentials = credentials
            if let refresh { ask(refresh) }
            admit(fetch)
        case .ask(let request):
            fetches[id]?.phase = .credentials
            credentialQueue.append(id)
            ask(request)
        case .wait:
            fetches[id]?.phase = .credentials
            credentialQueue.append(id)
        case .unavailable(let error):
            fail(id, error)
        }
    }

    private func admit(_ fetch: Fetch) {
        switch limiter.admit(fetch.request.keyTag, now: clock.now, deadline: deadline(of: fetch)) {
        case .now:
            queueForConnection(fetch.id)
        case .waiting(let ticket):
            fetches[fetch.id]?.phase = .limiter(ticket)
            tickets[ticket] = fetch.id
        case .refused(let retryAfter):
            fail(fetch.id, fetch.errorWithoutTime(toWait: retryAfter))
        }
    }

    /// Lets those pass whose turn at the limiter has come.
    func admitDue(now: Instant) {
        guard limiter.waiting > 0 else { return }
        for ticket in limiter.admitDue(now: now) {
            if let id = tickets.removeValue(forKey: ticket) { queueForConnection(id) }
        }
    }

    private func queueForConnection(_ id: Fetches.FetchID) {
        fetches[id]?.phase = .connection
        connectionQueue.append(id)
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
            let headers = try signers.signer(for: credentials).headers(
                method: PublicKeyRequest.method, target: fetch.request.target,
                timestampMilliseconds: timestamp)
            let transfer = try start(httpRequest(fetch, headers))
            transfers[transfer] = fetch.id
            var fetch = fetch
            fetch.phase = .transfer(transfer)
            fetch.progress.attemptStarted()
            if fetch.progress.attempts > 1 { upstream.retries += 1 }
            fetch.signedOffset = skew.offset
            fetches[fetch.id] = fetch
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
    private func httpRequest(_ fetch: Fetch, _ headers: [(name: String, value: String)]) -> HTTPRequest {
        let endpoint = configuration.endpoint
        return HTTPRequest(
            method: .post, baseURL: endpoint.description, target: fetch.request.target,
            headerLines: ["Content-Type: application/json"] + headers.map { "\($0.name): \($0.value)" },
            body: fetch.request.body,
            isDirect: endpoint.isLoopback, allowsPlainHTTP: endpoint.isLoopback)
    }
}
