import Logging
import Platform

/// The lines of the log: one for each thing that an operator would ask about. None holds a secret or a signature.
extension KMSEngine {
    func logRetry(_ fetch: Fetch, after delay: Duration, _ error: KMSError, isThrottled: Bool) {
        var metadata = metadata(of: fetch)
        metadata["delayMs"] = .stringConvertible(delay.milliseconds)
        metadata["error"] = "\(error.message)"
        let what = isThrottled ? "the service throttled an attempt" : "an attempt failed"
        logger.warning("\(what); it will be repeated", metadata: metadata)
    }

    /// Warns of the files that the credentials come from.
    func logCredentialFiles() {
        logTokenFileProblem()
        logFileReadableByOthers()
    }

    /// Once, and again only after it was put right in between.
    private func logFileReadableByOthers() {
        let file = signers.chain.fileReadableByOthers
        guard file != signers.loggedFileReadableByOthers else { return }
        signers.loggedFileReadableByOthers = file
        guard let file else { return }
        logger.warning(
            "other users can read the credentials file; remove their access (chmod go= FILE)",
            metadata: ["file": "\(file)"])
    }

    /// Once for each state of the file that can't be used.
    private func logTokenFileProblem() {
        let problem = signers.chain.tokenFileProblem
        guard problem != signers.loggedTokenFileProblem else { return }
        signers.loggedTokenFileProblem = problem
        guard let problem else { return }
        logger.warning(
            "the token file changed and can't be used; the old token still serves", metadata: ["error": "\(problem)"])
    }

    func logReauthentication(_ fetch: Fetch, _ credentials: Credentials) {
        var metadata = metadata(of: fetch)
        metadata["credentials"] = "\(credentials)"
        logger.notice("the credentials were refused; others were found and are used now", metadata: metadata)
    }

    func logDistrust() {
        logger.warning(
            "more than one answer came to a request; the others were dropped, and for a minute no connection is used twice",
            metadata: ["endpoint": "\(service.baseURL)"])
    }

    func logSkew(_ outcome: ClockSkew.Outcome, _ fetch: Fetch) {
        switch outcome {
        case .unchanged, .corrected(isNews: false): return
        case .cleared, .corrected(isNews: true): break
        }
        guard skew.offset != .zero else { return logger.notice("this machine's clock is right again") }
        var metadata = metadata(of: fetch)
        metadata["clockSkewMs"] = .stringConvertible(skew.offset.milliseconds)
        logger.warning(
            "this machine's clock is wrong: the service's differs from it; signing with the service's time",
            metadata: metadata)
    }

    func logStaleAnswer(_ answer: PublicKeyAnswer, _ call: WaitingCall, _ error: KMSError) {
        logger.warning(
            "answered with an expired key, since the service can't be asked",
            metadata: [
                "keyTag": "\(answer.keyTag)", "requests": "\(call.label ?? "-")",
                "ageMs": .stringConvertible(answer.age.milliseconds), "error": "\(error.message)",
            ])
    }

    /// The request as it is signed, but for the signature.
    func logStart(_ fetch: Fetch, timestampMilliseconds: Int64) {
        guard logger.logLevel <= .debug else { return }
        var metadata = metadata(of: fetch)
        metadata["request"] = "\(PublicKeyRequest.method) \(fetch.request.target)"
        metadata["body"] = "\(String(decoding: fetch.request.body, as: UTF8.self))"
        metadata["timestamp"] = .stringConvertible(timestampMilliseconds)
        metadata["credentials"] = fetch.credentials.map { "\($0)" }
        logger.debug("an attempt begins", metadata: metadata)
    }

    func logEnd(_ fetch: Fetch, _ outcome: Result<HTTPResponse, TransportFailure>) {
        guard logger.logLevel <= .debug else { return }
        var metadata = metadata(of: fetch)
        switch outcome {
        case .failure(let failure):
            metadata["error"] = "\(failure.message)"
        case .success(let response):
            metadata["status"] = .stringConvertible(response.status)
            metadata["nameLookupUs"] = .stringConvertible(response.timing.nameLookup)
            metadata["connectUs"] = .stringConvertible(response.timing.connect)
            metadata["tlsUs"] = .stringConvertible(response.timing.tls)
            metadata["firstByteUs"] = .stringConvertible(response.timing.firstByte)
            metadata["totalUs"] = .stringConvertible(response.timing.total)
            metadata["reusedConnection"] = .stringConvertible(response.reusedConnection)
            if let requestID = response.headers.requestID { metadata["requestId"] = "\(requestID)" }
        }
        logger.debug("an attempt ended", metadata: metadata)
    }

    /// What tells a fetch from others: its key, its attempt, and who waits for it.
    private func metadata(of fetch: Fetch) -> Logger.Metadata {
        let waiters = table.waiters(of: fetch.id)
        let labels = waiters.prefix(4).map { calls[$0]?.label ?? "-" }
        var metadata: Logger.Metadata = [
            "keyTag": "\(fetch.request.keyTag)", "attempt": .stringConvertible(fetch.progress.attempts),
            "requests": "\(labels.joined(separator: ","))\(waiters.count > labels.count ? ",…" : "")",
        ]
        if let version = fetch.request.version { metadata["keyVersion"] = .stringConvertible(version.number) }
        return metadata
    }
}
