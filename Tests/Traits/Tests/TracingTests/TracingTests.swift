import InMemoryTracing
import NCloudKMS
import NCloudKMSTesting
import Testing
import Tracing

/// The spans of calls and attempts, as swift-distributed-tracing's own tracer in memory gets them.
@Suite struct TracingTests {
    private let tracer = InMemoryTracer()
    private let kms: EmulatedKMS
    private let client: KMSClient
    private let tag: KeyTag

    init() throws {
        kms = try EmulatedKMS()
        client = try KMSClient(kms.configuration())
        tag = try KeyTag("demo-ec")
    }

    @Test func `a call is a span in its caller's, and its attempts are spans in that`() async throws {
        kms.setFaults([try EmulatedFault("status=503,count=1")])
        try await withTracer(tracer) {
            try await withSpan("caller") { _ in _ = try await client.publicKey(for: tag) }
        }
        let caller = try #require(spans("caller").first)
        let call = try #require(spans("KMSClient.publicKey").first)
        #expect(call.parentSpanID == caller.spanID)
        #expect(call.kind == .internal)
        #expect(call.status == nil)
        #expect(
            texts(call) == ["ncloud.kms.key.source": "kms", "ncloud.kms.key.tag": "demo-ec"])

        let attempts = spans("POST /kms/v1/keys/{keyTag}/get-pub-key")
        #expect(attempts.count == 2)
        for attempt in attempts {
            #expect(attempt.traceID == caller.traceID)
            #expect(attempt.parentSpanID == call.spanID)
            #expect(attempt.kind == .client)
        }
        let common = [
            "http.request.method": "POST", "server.address": kms.endpoint.host, "server.port": "\(kms.endpoint.port)",
            "url.full": "\(kms.endpoint)/kms/v1/keys/demo-ec/get-pub-key",
            "url.template": "/kms/v1/keys/{keyTag}/get-pub-key",
        ]
        let attributes = attempts.map { texts($0).filter { $0.key != "ncloud.kms.request.id" } }
        #expect(
            attributes.first
                == common.merging(["http.response.status_code": "503", "error.type": "503"]) { _, new in new })
        #expect(
            attributes.last
                == common.merging(["http.response.status_code": "200", "http.request.resend_count": "1"]) { _, new in
                    new
                })
        #expect(attempts.first?.status?.code == .error)
        #expect(attempts.last?.status == nil)
    }

    @Test func `a cached answer has no attempt`() async throws {
        try await withTracer(tracer) {
            for _ in 1...2 { _ = try await client.publicKey(for: tag, version: KeyVersion(1)) }
        }
        let calls = spans("KMSClient.publicKey").map(texts)
        #expect(calls.map { $0["ncloud.kms.key.source"] } == ["kms", "cache"])
        #expect(calls.allSatisfy { $0["ncloud.kms.key.version"] == "1" })
        #expect(attempts.count == 1)
    }

    @Test func `a failed call has its error`() async throws {
        _ = await withTracer(tracer) {
            await #expect(throws: KMSError.self) { try await client.publicKey(for: KeyTag("nobody-has-it")) }
        }
        let call = try #require(spans("KMSClient.publicKey").first)
        #expect(texts(call)["error.type"] == "KeyNotFound")
        #expect(call.status?.code == .error)
        #expect(call.status?.message?.isEmpty == false)
    }

    @Test func `a failure without an answer has the type of its error`() async throws {
        kms.setFaults([try EmulatedFault("reset,count=1")])
        try await withTracer(tracer) { _ = try await client.publicKey(for: tag) }
        #expect(attempts.map { texts($0)["error.type"] } == ["ServiceUnavailable", nil])
        #expect(attempts.map { texts($0)["http.response.status_code"] } == [nil, "200"])
    }

    @Test func `a verification is a span with its verdict`() async throws {
        try await withTracer(tracer) {
            let verdict = try await client.verify(
                ServiceSignature("AAAA"), of: .data([1]), by: tag, algorithm: .es256)
            #expect(!verdict.isValid)
        }
        let call = try #require(spans("KMSClient.verify").first)
        #expect(texts(call)["ncloud.kms.signature.valid"] == "false")
        #expect(call.status == nil)
        #expect(attempts.map(\.parentSpanID) == [call.spanID])
    }

    @Test func `an attempt for several calls is in the first one's span and links to the others`() async throws {
        kms.setFaults([try EmulatedFault("hang")])
        let first = call(in: "first")
        try await kms.waitForRequests(1)
        let second = call(in: "second")
        while await client.status().cache.coalesced < 1 { await Task.yield() }
        for call in [first, second] {
            call.cancel()
            await #expect(throws: KMSError.self) { try await call.value }
        }
        // A turn on the loop, after the one that told the second caller.
        _ = await client.status()
        let calls = spans("KMSClient.publicKey")
        let attempt = try #require(attempts.first)
        #expect(calls.count == 2 && attempts.count == 1)
        #expect(attempt.parentSpanID == calls.first?.spanID)
        #expect(attempt.links.map { $0.context.inMemorySpanContext?.spanID } == [calls.last?.spanID])
        #expect(texts(attempt)["error.type"] == "Cancelled")
        #expect(attempt.status?.code == .error)
    }

    @Test func `no span contains the credentials`() async throws {
        kms.setFaults([try EmulatedFault("status=401,count=1")])
        await withTracer(tracer) { _ = try? await client.publicKey(for: tag) }
        #expect(!attempts.isEmpty)
        let keys = ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_SECRET_ACCESS_KEY"].compactMap { kms.environment[$0] }
        #expect(keys.count == 2)
        for span in tracer.finishedSpans {
            let text = "\(texts(span)) \(span.status?.message ?? "")"
            for secret in keys { #expect(!text.contains(secret), "\(text)") }
        }
    }

    private var attempts: [FinishedInMemorySpan] { spans("POST /kms/v1/keys/{keyTag}/get-pub-key") }

    private func spans(_ name: String) -> [FinishedInMemorySpan] {
        tracer.finishedSpans.filter { $0.operationName == name }
    }

    private func call(in caller: String) -> Task<PublicKeyAnswer, any Error> {
        Task { [tracer, client, tag] in
            try await withTracer(tracer) { try await withSpan(caller) { _ in try await client.publicKey(for: tag) } }
        }
    }

    /// The attributes as texts.
    private func texts(_ span: FinishedInMemorySpan) -> [String: String] {
        var texts: [String: String] = [:]
        span.attributes.forEach { name, value in
            texts[name] =
                switch value {
                case .string(let text): text
                case .int32(let number): "\(number)"
                case .int64(let number): "\(number)"
                case .bool(let value): "\(value)"
                default: "\(value)"
                }
        }
        return texts
    }
}
