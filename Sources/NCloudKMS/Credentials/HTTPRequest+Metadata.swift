extension HTTPRequest {
    /// A question to the metadata service.
    init(_ request: MetadataRequest) {
        self.init(
            method: .get, baseURL: request.endpoint.description, target: request.target,
            attemptTimeout: MetadataRequest.timeout, connectTimeout: MetadataRequest.connectTimeout,
            isDirect: true, allowsPlainHTTP: true)
    }
}
