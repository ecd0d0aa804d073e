/// The questions to the metadata service of a server, for the credentials of its role.
extension KMSEngine {
    func ask(_ request: MetadataRequest) {
        do {
            metadataTransfer = try multi.start(HTTPRequest(request))
        } catch {
            metadataEnded(.failure(error))
        }
    }

    func metadataEnded(_ outcome: Result<HTTPResponse, TransportFailure>) {
        metadataTransfer = nil
        if let next = signers.chain.serverRole?.ended(outcome, now: clock.now) {
            ask(next)
        } else {
            resumeThoseWithoutCredentials()
        }
    }

    private func resumeThoseWithoutCredentials() {
        let waiting = credentialQueue
        credentialQueue = []
        for id in waiting where fetches[id]?.phase == .credentials { advance(id) }
    }
}
