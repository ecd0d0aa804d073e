/// The questions to the metadata service of a server, for the credentials of its role.
extension KMSEngine {
    func ask(_ request: MetadataRequest) {
        do {
            metadataTransfer = try multi.start(HTTPRequest(request))
        } catch {
            metadataFailed(error)
        }
    }

    func metadataAnswered(_ outcome: Result<HTTPResponse, TransportFailure>) {
        metadataTransfer = nil
        switch outcome {
        case .failure(let failure):
            metadataFailed(failure)
        case .success(let response):
            let next = signers.chain.serverRole?.answered(
                status: response.status, body: response.body, now: clock.now,
                wallClockMilliseconds: clock.wallClockMilliseconds)
            if let next { ask(next) } else { resumeThoseWithoutCredentials() }
        }
    }

    private func metadataFailed(_ failure: TransportFailure) {
        // The sentence becomes a part of another one.
        let reason = failure.message.hasSuffix(".") ? String(failure.message.dropLast()) : failure.message
        signers.chain.serverRole?.failed(reason, now: clock.now)
        resumeThoseWithoutCredentials()
    }

    private func resumeThoseWithoutCredentials() {
        let waiting = credentialQueue
        credentialQueue = []
        for id in waiting where fetches[id]?.phase == .credentials { advance(id) }
    }
}
