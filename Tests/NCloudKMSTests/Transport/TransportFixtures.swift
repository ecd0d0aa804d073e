import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

extension TransportConfiguration {
    static func forTests(
        connections: Int = 32, perHost: Int = 0, caFile: String? = nil, proxy: ProxyConfiguration? = nil
    ) -> TransportConfiguration {
        TransportConfiguration(
            maximumConnections: connections, maximumConnectionsPerHost: perHost,
            caFile: caFile.map { CertificateFile(path: $0) }, proxy: .success(proxy), userAgent: "ncloud-kms-rpc/test")
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
final class Transfers {
    typealias Outcome = Result<HTTPResponse, TransportFailure>

    let multi: CurlMulti
    private let loop: DrivenLoop
    /// What ended since `run` was called.
    private var outcomes: [TransferID: Outcome] = [:]

    init(_ configuration: TransportConfiguration = .forTests(), clock: any TimeSource = SystemClock()) throws {
        loop = try DrivenLoop()
        let events = Events()
        multi = try CurlMulti(configuration, environment: CurlEnvironment.ready(), loop: loop.loop, clock: clock) {
            if case .distrustBegan = $0 { events.distrustBegan += 1 }
        }
        self.events = events
    }

    private let events: Events
    private final class Events {
        var distrustBegan = 0
    }

    /// How often a peer turned out to say more than it was asked, since this was last asked.
    func takeDistrust() -> Int {
        defer { events.distrustBegan = 0 }
        return events.distrustBegan
    }

    deinit { multi.close() }

    func start(_ request: HTTPRequest) throws(TransportFailure) -> TransferID {
        final class Started {
            var id: TransferID?
        }
        let started = Started()
        let id = try multi.start(request) { [weak self] outcome in
            if let id = started.id { self?.outcomes[id] = outcome }
        }
        started.id = id
        return id
    }

    /// Starts a transfer and drives it to its end.
    func outcome(of request: HTTPRequest) throws -> Outcome {
        let id = try start(request)
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
    func run(until isDone: @escaping ([TransferID: Outcome]) throws -> Bool) throws -> [TransferID: Outcome] {
        outcomes = [:]
        var failure: (any Error)?
        loop.run { [unowned self] in
            do { return try isDone(outcomes) } catch {
                failure = error
                return true
            }
        }
        if let failure { throw failure }
        return outcomes
    }

    /// Drives all transfers for some turns of the loop.
    ///
    /// - Returns: what ended by then.
    func run(turns: Int) throws -> [TransferID: Outcome] {
        outcomes = [:]
        var left = turns
        loop.run {
            left -= 1
            return left < 0
        }
        return outcomes
    }
}

func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
