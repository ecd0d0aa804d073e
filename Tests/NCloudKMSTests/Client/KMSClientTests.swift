import Dispatch
import Logging
import Platform
import TestSupport
import Testing

@testable import NCloudKMS

/// What happens between calls, and between a call and the client's end: a real client against a scripted server.
@Suite(.timeLimit(.minutes(1))) struct KMSClientTests {
    private func client(
        _ responder: RawResponder, _ authentication: KMSClientConfiguration.Authentication? = nil
    ) throws -> KMSClient {
        let keys = try Credentials(accessKeyID: "ACCESS", secretAccessKey: SecretBytes("SECRET".utf8))
        return try KMSClient(
            KMSClientConfiguration(
                endpoint: Endpoint(responder.baseURL), authentication: authentication ?? .credentials(keys)),
            on: nil, clock: SystemClock(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { 0.5 }
    }

    private func begin(
        _ client: KMSClient, _ keyTag: String = "k", timeout: Duration = .seconds(30)
    ) throws -> PendingCall {
        PendingCall(PublicKeyQuery(keyTag: try KeyTag(keyTag), timeout: timeout), of: client)
    }

    /// Returns as soon as the client's figures are such.
    private func wait(_ client: KMSClient, until isSo: (ClientStatus) -> Bool) async {
        while true {
            if isSo(await client.status()) { return }
            await Task.yield()
        }
    }

    private static let rejection = RawResponder.answer("400 Bad Request")

    /// Answers nothing before it is told to.
    private func holdingResponder(_ gate: DispatchSemaphore) throws -> RawResponder {
        try RawResponder { connection in
            try connection.readRequest()
            gate.wait()
            gate.signal()
            try connection.send(Self.rejection)
        }
    }

    @Test func `a caller that joined does not fail when the first caller's time ends`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let responder = try holdingResponder(gate)
        let client = try client(responder)
        let short = try begin(client, timeout: .milliseconds(100))
        let long = try begin(client)
        #expect(try await short.error().code == .deadlineExceeded)
        // Another call's time tells that the short one's is over for long.
        let other = try begin(client, "other", timeout: .milliseconds(400))
        #expect(try await other.error().code == .deadlineExceeded)
        gate.signal()
        let error = try await long.error()
        #expect(error.code == .requestRejected)
        #expect(error.attempts == 1)
    }

    @Test func `who joins a fetch that repeats later than the call's deadline is told the failure at once`()
        async throws
    {
        let unavailable = RawResponder.answer("503 Service Unavailable", headers: ["Retry-After: 30"])
        let responder = try RawResponder([.readRequest, .send(unavailable), .again])
        let client = try client(responder)
        let first = try begin(client)
        await wait(client) { $0.upstream.failures == 1 }
        let joined = try begin(client, timeout: .milliseconds(1))
        let error = try await joined.error()
        #expect(error.code == .serviceUnavailable)
        #expect(error.httpStatus == 503)
        #expect(error.reason == "deadline")
        #expect(error.attempts == 1)
        #expect(try #require(error.retryAfter) <= .milliseconds(5_050))

        // The repeat that was paid for and never sent is given back.
        first.cancel()
        #expect(try await first.error().code == .cancelled)
        await wait(client) { $0.retryQuota.available == RetryQuota.capacity }
        #expect(responder.requests.count == 1)
    }

    @Test func `a call after a change of the token file does not join a fetch with the old token`() async throws {
        let folder = try TemporaryDirectory()
        try folder.write("OLD", to: "token")
        let gate = DispatchSemaphore(value: 0)
        let responder = try holdingResponder(gate)
        let client = try client(
            responder,
            .lookup(
                CredentialLookup(
                    environment: EnvironmentVariables(["HOME": folder.path]), tokenFile: folder.path("token"))))
        let old = try begin(client)
        let joined = try begin(client)
        await wait(client) { $0.upstream.attempts == 1 && $0.cache.coalesced == 1 }
        try folder.write("LATER", to: "token")
        let new = try begin(client)
        await wait(client) { $0.upstream.attempts == 2 || $0.cache.coalesced == 2 }
        gate.signal()
        for call in [old, joined, new] {
            let error = try await call.error()
            #expect(error.code == .requestRejected)
            #expect(error.attempts == 1)
        }
        let tokens = responder.requests.map { $0.head.contains("LATER") ? "new" : "old" }
        #expect(tokens.sorted() == ["new", "old"])
    }

    @Test func `a refused token is not blamed on the clock`() async throws {
        let refusal = RawResponder.answer("401 Unauthorized", headers: ["Date: Mon, 02 Mar 2037 10:00:00 GMT"])
        let responder = try RawResponder([.readRequest, .send(refusal), .again])
        let clock = ManualClock(wallClockMilliseconds: 2_119_600_000_000)  // 13 min before that date
        let token = try Credentials(token: SecretBytes("TOKEN".utf8))
        let keys = try Credentials(accessKeyID: "ACCESS", secretAccessKey: SecretBytes("SECRET".utf8))
        for (credentials, attempts) in [(keys, 2), (token, 1)] {
            let client = try KMSClient(
                KMSClientConfiguration(
                    endpoint: Endpoint(responder.baseURL), authentication: .credentials(credentials)),
                on: nil, clock: clock, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            ) { 0.5 }
            let error = try await begin(client).error()
            #expect(error.code == .authenticationFailed)
            #expect(error.attempts == attempts)
        }
    }

    @Test func `the calls of a client that is freed end as shutting down`() async throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        var client: KMSClient? = try client(responder)
        let calls = try ["a", "a", "b"].map { try begin(try #require(client), $0) }
        client = nil
        for call in calls {
            let error = try await call.error()
            #expect(error.code == .shuttingDown)
            #expect(error.retryable)
        }
    }
}
