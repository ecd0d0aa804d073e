import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// The client as a whole on an injected clock: what `FetchMachine` decides is done. The decisions have tests of their own.
@Suite(.timeLimit(.minutes(5))) struct ClientRetryTests {
    // MARK: Retries

    @Test func `the next attempt comes when the service asks for it, and not before`() async throws {
        let fixture = try ClientFixture(faults: ["status=503,count=1,retry-after=1"])
        let call = fixture.begin(try ClientFixture.query())
        try await fixture.waitForLog("an attempt failed; retrying")
        await fixture.advance(by: .milliseconds(999))
        #expect(await fixture.status().upstream.attempts == 1)
        await fixture.advance(by: .milliseconds(1))
        #expect(try await call.answer().attempts == 2)
        #expect(fixture.emulator.state.total == 2)
    }

    // MARK: Deadlines

    @Test func `a call whose time ends says what it was doing`() async throws {
        let fixture = try ClientFixture(faults: ["hang"], connections: 1)
        let asking = fixture.begin(try ClientFixture.query())
        try await fixture.emulator.waitForState { $0.total == 1 }
        let waiting = fixture.begin(try ClientFixture.query("demo-ec", timeout: .seconds(5)))
        await fixture.advance(by: .seconds(5))
        let first = try await waiting.error()
        #expect(first.code == .deadlineExceeded)
        #expect(first.reason == "connection")
        #expect(first.attempts == nil)
        await fixture.advance(by: .seconds(25))
        let second = try await asking.error()
        #expect(second.code == .deadlineExceeded)
        #expect(second.reason == "answer")
        #expect(second.attempts == 1)
        try await fixture.emulator.waitForState { $0.aborted == 1 }
        #expect(await fixture.status().upstream.failures == 1)
        #expect(fixture.emulator.state.perKey == ["demo-rsa": 1])
    }

    @Test func `a call that the limiter can't admit in time fails at once`() async throws {
        let fixture = try ClientFixture(ratePerKey: 1)
        _ = try await fixture.answer(to: ClientFixture.query(maxAge: .zero))
        let refused = try await fixture.error(of: ClientFixture.query(maxAge: .zero, timeout: .seconds(1)))
        #expect(refused.code == .rateLimited)
        #expect(refused.reason == "local-limit")
        #expect(refused.retryAfter == .seconds(1))
        #expect(refused.attempts == nil)
    }

    // MARK: Cancellation

    @Test func `a task that is cancelled cancels its call`() async throws {
        let fixture = try ClientFixture(faults: ["hang,count=1"])
        let query = try ClientFixture.query()
        let task = Task { try await fixture.client.publicKey(query) }
        try await fixture.emulator.waitForState { $0.total == 1 }
        task.cancel()
        let error = await #expect(throws: KMSError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        try await fixture.emulator.waitForState { $0.aborted == 1 }
        // Nobody joins what was aborted.
        #expect(try await fixture.answer(to: query).attempts == 1)
        #expect(await fixture.status().upstream.failures == 0)
    }

    // MARK: The clock

    @Test(arguments: [Duration.seconds(360), .seconds(-360)])
    func `a skewed clock costs one attempt more, once, and no quota`(skew: Duration) async throws {
        let fixture = try ClientFixture(faults: ["skew=\(skew.milliseconds)ms"])
        #expect(try await fixture.answer(to: ClientFixture.query(maxAge: .zero)).attempts == 2)
        for _ in 0..<3 { #expect(try await fixture.answer(to: ClientFixture.query(maxAge: .zero)).attempts == 1) }
        let status = await fixture.status()
        #expect(status.clockSkew == skew)
        #expect(status.retryQuota.available == 500)
        #expect(fixture.emulator.state.signaturesRefused == 1)
    }
}
