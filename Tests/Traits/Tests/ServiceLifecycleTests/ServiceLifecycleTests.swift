import NCloudKMS
import NCloudKMSTesting
import ServiceLifecycle
import Testing

/// A client in a group of swift-service-lifecycle.
@Suite struct ServiceLifecycleTests {
    /// A service that uses the client until its shutdown has begun, and once more then.
    private struct KeyUser: Service {
        let client: KMSClient
        let tag: KeyTag
        let hasBegun: AsyncStream<Void>.Continuation
        let sources: AsyncStream<PublicKeyAnswer.Source>.Continuation

        func run() async throws {
            sources.yield(try await client.publicKey(for: tag).source)
            hasBegun.finish()
            try await gracefulShutdown()
            sources.yield(try await client.publicKey(for: tag, maxAge: .zero).source)
            sources.finish()
        }
    }

    @Test func `a group shuts the client down, after the services that use it`() async throws {
        let kms = try EmulatedKMS()
        let client = try KMSClient(kms.configuration())
        let tag = try KeyTag("demo-ec")
        let (hasBegun, begin) = AsyncStream.makeStream(of: Void.self)
        let (sources, source) = AsyncStream.makeStream(of: PublicKeyAnswer.Source.self)
        let user = KeyUser(client: client, tag: tag, hasBegun: begin, sources: source)
        var group = ServiceGroupConfiguration(
            services: [
                ServiceGroupConfiguration.ServiceConfiguration(service: client),
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: user, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            logger: .init(label: "test"))
        group.gracefulShutdownSignals = []
        let services = ServiceGroup(configuration: group)
        let running = Task { try await services.run() }
        for await _ in hasBegun {}
        await services.triggerGracefulShutdown()
        try await running.value

        #expect(await sources.reduce(into: []) { $0.append($1) } == [.kms, .kms])
        await expectShutDown(client, tag)
    }

    @Test func `a cancelled run shuts the client down, and its waiting calls with it`() async throws {
        let kms = try EmulatedKMS(faults: [EmulatedFault("hang")])
        let client = try KMSClient(kms.configuration())
        let tag = try KeyTag("demo-ec")
        let running = Task { try await client.run() }
        let call = Task { try await client.publicKey(for: tag) }
        try await kms.waitForRequests(1)
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        let error = await #expect(throws: KMSError.self) { try await call.value }
        #expect(error?.code == .shuttingDown)
        await expectShutDown(client, tag)
    }

    private func expectShutDown(_ client: KMSClient, _ tag: KeyTag) async {
        let error = await #expect(throws: KMSError.self) { try await client.publicKey(for: tag) }
        #expect(error?.code == .shuttingDown)
    }
}
