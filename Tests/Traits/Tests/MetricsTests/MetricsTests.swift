import CoreMetrics
import MetricsTestKit
import NCloudKMS
import NCloudKMSTesting
import Testing

/// The metrics of a client, as swift-metrics' own test factory gets them.
@Suite struct MetricsTests {
    private let metrics = TestMetrics()
    private let kms: EmulatedKMS
    private let client: KMSClient
    private let tag: KeyTag

    init() throws {
        let kms = try EmulatedKMS()
        self.kms = kms
        client = try withMetricsFactory(metrics) { try KMSClient(kms.configuration()) }
        tag = try KeyTag("demo-ec")
    }

    @Test func `attempts are counted and timed by their outcome`() async throws {
        kms.setFaults([try EmulatedFault("status=503,count=1")])
        _ = try await client.publicKey(for: tag)
        for type in ["ServiceUnavailable", "none"] {
            #expect(total("attempts", type) == 1)
            let timer = try metrics.expectTimer("ncloud.kms.client.attempt.duration", [("error.type", type)])
            #expect(timer.values.count == 1)
            // An attempt takes a round trip, and nothing here takes a minute.
            #expect(timer.values.allSatisfy { 1_000 < $0 && $0 < 60_000_000_000 }, "\(timer.values)")
        }
        #expect(total("attempts") == 2)
        #expect(total("throttles") == 0)
        #expect(total("call.failures") == 0)
    }

    @Test func `throttles are counted`() async throws {
        kms.setFaults([try EmulatedFault("status=429,count=1")])
        _ = try await client.publicKey(for: tag)
        #expect(total("throttles") == 1)
        #expect(total("attempts", "RateLimited") == 1)
        #expect(total("attempts", "none") == 1)
    }

    @Test func `answers of the cache are counted`() async throws {
        for _ in 1...3 { _ = try await client.publicKey(for: tag) }
        #expect(total("cache.misses") == 1)
        #expect(total("cache.hits") == 2)
        #expect(total("cache.stale") == 0)
    }

    @Test func `expired answers are counted`() async throws {
        let client = try withMetricsFactory(metrics) {
            // Expires before it has arrived.
            try KMSClient(
                kms.configuration(cacheTimeToLive: .nanoseconds(1), staleIfError: .seconds(60), maximumAttempts: 1))
        }
        _ = try await client.publicKey(for: tag)
        kms.setFaults([try EmulatedFault("status=503")])
        #expect(try await client.publicKey(for: tag).source == .stale)
        #expect(total("cache.stale") == 1)
        #expect(total("cache.misses") == 2)
        #expect(total("call.failures") == 0)
    }

    @Test func `failed calls are counted by their error`() async throws {
        await #expect(throws: KMSError.self) { try await client.publicKey(for: KeyTag("nobody-has-it")) }
        #expect(total("call.failures", "KeyNotFound") == 1)
        #expect(total("attempts", "KeyNotFound") == 1)
    }

    @Test func `an attempt that nobody waits for is counted as cancelled`() async throws {
        kms.setFaults([try EmulatedFault("hang")])
        let call = Task { [client, tag] in try await client.publicKey(for: tag) }
        try await kms.waitForRequests(1)
        call.cancel()
        await #expect(throws: KMSError.self) { try await call.value }
        // A turn on the loop, after the one that told the caller.
        _ = await client.status()
        #expect(total("attempts", "Cancelled") == 1)
        #expect(total("call.failures", "Cancelled") == 1)
    }

    @Test func `no metric mentions a key`() async throws {
        kms.setFaults([try EmulatedFault("status=503,count=1")])
        _ = try await client.publicKey(for: tag)
        await #expect(throws: KMSError.self) { try await client.publicKey(for: KeyTag("nobody-has-it")) }
        let texts =
            metrics.counters.map { "\($0.label) \($0.dimensions)" }
            + metrics.timers.map { "\($0.label) \($0.dimensions)" }
        #expect(texts.count > 6)
        for text in texts { #expect(!text.contains("demo-ec") && !text.contains("nobody"), "\(text)") }
    }

    private func total(_ name: String, _ errorType: String? = nil) -> Int64 {
        metrics.counterTotal(
            label: "ncloud.kms.client.\(name)", dimensions: errorType.map { [("error.type", $0)] } ?? [])
    }
}
