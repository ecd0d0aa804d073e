import KMSPlatform

/// Checks what lies between this machine and the service, one thing at a time, for people who want to know what fails.
/// Every method blocks. Nothing is retried.
package final class ServiceProbe {
    /// The result of one HTTP request without credentials.
    package struct Contact: Sendable {
        /// The answer's status. It hardly matters, because any answer shows that the service can be reached.
        package let status: Int
        package let isEncrypted: Bool
        package let nameLookup: Duration
        package let connect: Duration
        /// Including the proxy's CONNECT, if there is one.
        package let handshake: Duration
        /// The service's clock minus this machine's, to the second; nil if the answer has no usable date.
        package let clockDifference: Duration?
    }

    private let configuration: KMSClientConfiguration
    private let loop: EventLoop
    private let multi: CurlMulti
    private let clock: any TimeSource

    /// - Throws: `KMSError` if the configuration can't be used.
    package init(_ configuration: KMSClientConfiguration, clock: any TimeSource = SystemClock()) throws(KMSError) {
        self.configuration = configuration
        self.clock = clock
        do {
            loop = try EventLoop()
            multi = try CurlMulti(
                configuration.transport, environment: try CurlEnvironment.ready(), loop: loop, clock: clock
            )
        } catch let failure as TransportFailure {
            throw KMSError(failure)
        } catch {
            throw KMSError(.serviceUnavailable, "\(error)")
        }
    }

    deinit {
        // Otherwise the loop and its source retain each other.
        multi.close()
    }

    /// Looks for credentials where the client does, including the metadata service.
    ///
    /// - Returns: the credentials that the client would use, and their file if other users can read or change it.
    package func credentials() throws(KMSError) -> (credentials: Credentials, fileOpenToOthers: String?) {
        var chain = SignerStore(configuration.authentication).chain
        while true {
            switch chain.next(now: clock.now) {
            case .ready(let credentials, _): return (credentials, chain.fileOpenToOthers)
            case .ask(let request): ask(request, for: &chain)
            // Only while another call is asking the metadata service.
            case .wait: throw .credentialsUnusable("the metadata service has not answered yet")
            case .unavailable(let error): throw error
            }
        }
    }

    /// The authorities that the service's certificate is checked with, in words; nil for plain HTTP.
    ///
    /// - Throws: `KMSError`, 1011, if there are none.
    package func authorities() throws(KMSError) -> String? {
        configuration.endpoint.scheme == .https ? try multi.authorities.inWords() : nil
    }

    /// The addresses of the service's host, as text.
    package func addresses() throws(LookupFailure) -> [String] {
        try HostLookup.addresses(of: configuration.endpoint.host)
    }

    /// Sends one request without credentials, the same way as the client's requests.
    package func contact() throws(KMSError) -> Contact {
        let endpoint = configuration.endpoint
        let response: HTTPResponse
        do {
            response = try transfer(
                HTTPRequest(
                    method: .get, baseURL: endpoint.description, target: "/", isDirect: endpoint.isLoopback,
                    allowsPlainHTTP: endpoint.isLoopback))
        } catch {
            throw KMSError(error)
        }
        return Contact(
            status: response.status, isEncrypted: endpoint.scheme == .https,
            nameLookup: .microseconds(response.timing.nameLookup), connect: .microseconds(response.timing.connect),
            handshake: .microseconds(response.timing.tls), clockDifference: ClockSkew.difference(response.clockSample())
        )
    }

    // MARK: Transfers

    private func ask(_ request: MetadataRequest, for chain: inout CredentialChain) {
        var next: MetadataRequest? = request
        while let request = next {
            let outcome = Result { () throws(TransportFailure) in try transfer(HTTPRequest(request)) }
            next = chain.serverRole?.ended(outcome, now: clock.now)
        }
    }

    private func transfer(_ request: HTTPRequest) throws(TransportFailure) -> HTTPResponse {
        var outcome: Result<HTTPResponse, TransportFailure>?
        _ = try multi.start(request) { [loop] in
            outcome = $0
            loop.stop()
        }
        while true {
            loop.run()
            if let outcome { return try outcome.get() }
        }
    }
}
