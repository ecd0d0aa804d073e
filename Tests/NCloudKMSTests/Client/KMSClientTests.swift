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
