import Dispatch
import Logging
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// What happens between calls, and between a call and the client's end: a real client against a scripted server.
@Suite(.timeLimit(.minutes(5))) struct KMSClientTests {
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

    /// Returns as soon as the client's figures are such; throws when the test's time is over.
    private func wait(_ client: KMSClient, until isSo: (ClientStatus) -> Bool) async throws {
        while !isSo(await client.status()) {
            try Task.checkCancellation()
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
        try await wait(client) { $0.upstream.attempts == 1 && $0.cache.coalesced == 1 }
        try folder.write("LATER", to: "token")
        let new = try begin(client)
        try await wait(client) { $0.upstream.attempts == 2 || $0.cache.coalesced == 2 }
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
            #expect(error.isRetryable)
        }
    }

    // MARK: Tasks

    @Test func `a task that is cancelled, before its call or during it, hears so at once`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let responder = try holdingResponder(gate)
        let client = try client(responder)
        let query = PublicKeyQuery(keyTag: try KeyTag("k"))
        let call: @Sendable () async throws -> KMSError.Code? = {
            do throws(KMSError) {
                _ = try await client.publicKey(query)
                return nil
            } catch {
                return error.code
            }
        }
        let other = Task { try await call() }
        try await wait(client) { $0.upstream.attempts == 1 }

        let early = Task {
            // It does not begin its call before it is cancelled.
            while !Task.isCancelled { await Task.yield() }
            return try await call()
        }
        early.cancel()
        #expect(try await early.value == .cancelled)

        let late = Task { try await call() }
        try await wait(client) { $0.cache.coalesced == 2 }
        late.cancel()
        #expect(try await late.value == .cancelled)

        gate.signal()
        #expect(try await other.value == .requestRejected)
        #expect(responder.requests.count == 1)
    }

    @Test func `after a shutdown, or two, calls fail at once, and those before it have failed`() async throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        let client = try client(responder)
        let before = try begin(client)
        try await wait(client) { $0.upstream.attempts == 1 }
        await client.shutdown()
        await client.shutdown()
        #expect(try await before.error().code == .shuttingDown)
        let error = await #expect(throws: KMSError.self) {
            try await client.publicKey(PublicKeyQuery(keyTag: try KeyTag("k")))
        }
        #expect(error?.code == .shuttingDown)
        #expect(await client.status().upstream.attempts == 1)
    }

    @Test(arguments: [true, false])
    func `a client that is freed, on its loop or off it, leaves nothing behind`(isOnLoop: Bool) async throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        let client = Lock<KMSClient?>(try client(responder))
        let call: PendingCall
        weak var loop: EventLoop?
        do {
            let kept = try #require(client.withLock { $0 })
            loop = kept.loop
            call = try begin(kept)
            try await wait(kept) { $0.upstream.attempts == 1 }
        }
        if isOnLoop {
            loop?.submit { client.withLock { $0.take() }.map { withExtendedLifetime($0) {} } }
        } else {
            client.withLock { $0 = nil }
        }
        #expect(try await call.error().code == .shuttingDown)
        // Its thread has let go of it soon after.
        while loop != nil {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// Gives the loop a step between any two others.
    private final class Observer: EventSource {
        let loop: EventLoop
        let client: KMSClient
        private(set) var attempts: [Int] = []

        init(_ loop: EventLoop, _ client: KMSClient) {
            self.loop = loop
            self.client = client
        }

        func run() -> Duration? {
            let count = client.assumeIsolated { $0.status().upstream.attempts }
            if attempts.last != count { attempts.append(count) }
            if count == 5 { loop.stop() } else { loop.run(self) }
            return nil
        }

        func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) {}
    }

    @Test func `the loop can do other things between two attempts that could be sent at once`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let responder = try holdingResponder(gate)
        defer { gate.signal() }
        let attempts = try await onOwnThread {
            let loop = try EventLoop()
            let keys = try Credentials(accessKeyID: "ACCESS", secretAccessKey: SecretBytes("SECRET".utf8))
            let client = try KMSClient(
                KMSClientConfiguration(endpoint: Endpoint(responder.baseURL), authentication: .credentials(keys)),
                on: loop, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let observer = Observer(loop, client)
            loop.add(observer)
            let tags = try (1...5).map { try KeyTag("k\($0)") }
            loop.run {
                for tag in tags { client.begin(PublicKeyQuery(keyTag: tag)) { _ in } }
            }
            loop.remove(observer)
            return observer.attempts
        }
        #expect(attempts == [1, 2, 3, 4, 5])
    }
}
