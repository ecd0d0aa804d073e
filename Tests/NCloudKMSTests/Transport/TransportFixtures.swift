import Platform
import TestSupport
import Testing

@testable import NCloudKMS

extension TransportConfiguration {
    static func forTests(connections: Int = 32, caFile: String? = nil, proxy: ProxyConfiguration? = nil)
        -> TransportConfiguration
    {
        TransportConfiguration(
            maximumConnections: connections, caFile: caFile.map { CertificateFile(path: $0) }, proxy: .success(proxy),
            userAgent: "ncloud-kms-rpc/test")
    }
}

extension HTTPRequest {
    static func forTests(
        _ baseURL: String, target: String = "/kms/v1/keys/k/get-pub-key", body: String = "{}",
        timeout: Duration = HTTPRequest.longestAttempt
    ) -> HTTPRequest {
        HTTPRequest(
            method: .post, baseURL: baseURL, target: target, headers: [("Content-Type", "application/json")],
            body: Array(body.utf8), attemptTimeout: timeout, allowsPlainHTTP: true)
    }
}

/// One `CurlMulti`, driven on the test's own thread.
struct Transfers {
    let multi: CurlMulti

    init(_ configuration: TransportConfiguration = .forTests(), clock: any TimeSource = SystemClock()) throws {
        // As the program does, and `CurlThread` for its own thread: OpenSSL writes to connections that are closed.
        signal(SIGPIPE, SIG_IGN)
        multi = try CurlMulti(configuration, environment: CurlEnvironment.ready(), clock: clock)
    }

    /// Starts a transfer and drives it to its end.
    func outcome(of request: HTTPRequest) throws -> Result<HTTPResponse, TransportFailure> {
        let id = try multi.start(request)
        return try #require(try run(until: { $0[id] != nil })[id])
    }

    func response(to request: HTTPRequest) throws -> HTTPResponse { try outcome(of: request).get() }

    /// The failure of a transfer that must not succeed.
    func failure(of request: HTTPRequest) throws -> TransportFailure {
        switch try outcome(of: request) {
        case .failure(let failure): return failure
        case .success(let response):
            struct Unexpected: Error { let status: Int }
            throw Unexpected(status: response.status)
        }
    }

    /// Drives all transfers until the condition holds of what ended by then.
    @discardableResult
    func run(
        until isDone: ([TransferID: Result<HTTPResponse, TransportFailure>]) throws -> Bool
    ) throws -> [TransferID: Result<HTTPResponse, TransportFailure>] {
        var outcomes: [TransferID: Result<HTTPResponse, TransportFailure>] = [:]
        while true {
            for completion in try multi.perform() { outcomes[completion.id] = completion.outcome }
            if try isDone(outcomes) { return outcomes }
            // The condition may be about another thread, which wakes nobody here.
            try multi.poll(timeoutMilliseconds: 10)
        }
    }
}

func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
