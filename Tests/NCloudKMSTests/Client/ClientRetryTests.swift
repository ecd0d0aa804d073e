import KMSEmulator
import Platform
import TestSupport
import Testing

@testable import NCloudKMS

/// Spec page 03, limiter, retry and clock skew: the client as a whole, on an injected clock.
@Suite(.timeLimit(.minutes(1))) struct ClientRetryTests {
    // MARK: Retries

    @Test func `the quota pays for 35 retries, and refills by itself`() async throws {
        let fixture = try ClientFixture(faults: ["status=503"])
        var reasons: [String?] = []
        for number in 0..<40 {
            let error = try await fixture.error(of: ClientFixture.query("k\(number)"))
            #expect(error.code == .serviceUnavailable)
            reasons.append(error.reason)
            #expect(error.attempts == (number < 17 ? 3 : number == 17 ? 2 : 1))
        }
        #expect(reasons == [String?](repeating: "attempts", count: 17) + [String?](repeating: "quota", count: 23))
        #expect(fixture.emulator.state.total == 40 + 35)
        #expect(await fixture.status().retryQuota.available == 10)

        // The service is back; the quota comes back with the time.
        fixture.emulator.setFaults([])
        #expect(try await fixture.answer(to: ClientFixture.query(maxAge: .zero)).attempts == 1)
        #expect(await fixture.status().retryQuota.available == 11)
        await fixture.advance(by: .seconds(48) + .milliseconds(900))
        #expect(await fixture.status().retryQuota.available == 500)
    }

    @Test(arguments: [
        ("", 50, 50), ("retry-after=1", 1_000, 1_000), ("retry-after=10", 5_050, 5_050), ("retry-after=0", 50, 50),
    ])
    func `the next attempt comes when it should, and not before`(hint: String, wait: Int, bound: Int) async throws {
        // Nearly 1, so that the delay is its bound less a nanosecond or so.
        let fixture = try ClientFixture(
            faults: ["status=503,count=1" + (hint.isEmpty ? "" : ",\(hint)")], random: 0.999_999_9)
        let call = fixture.begin(try ClientFixture.query())
        try await fixture.wait { $0.upstream.failures == 1 }
        await fixture.advance(by: .milliseconds(wait - 1))
        #expect(await fixture.status().upstream.attempts == 1)
        await fixture.advance(by: .milliseconds(1))
        #expect(try await call.answer().attempts == 2)
        #expect(fixture.emulator.state.total == 2)
    }

    @Test func `a retry that would come after the deadline is not waited for`() async throws {
        let fixture = try ClientFixture(faults: ["status=503"], random: 0.999_999_9)
        let error = try await fixture.error(of: ClientFixture.query(timeout: .milliseconds(40)))
        #expect(error.code == .serviceUnavailable)
        #expect(error.reason == "deadline")
        #expect(error.attempts == 1)
        #expect(error.retryAfter.map { $0 > .milliseconds(49) && $0 < .milliseconds(51) } == true)
        #expect(await fixture.status().retryQuota.available == 500)
    }

    // MARK: Deadlines

    @Test func `a call whose time ends says what it was doing`() async throws {
        let fixture = try ClientFixture(faults: ["hang"], connections: 1)
        let asking = fixture.begin(try ClientFixture.query())
        try await fixture.wait { _ in fixture.emulator.state.total == 1 }
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
        try await fixture.wait { _ in fixture.emulator.state.aborted == 1 }
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

        // One that it can admit waits, with those that share its fetch.
        let calls = try (0..<10).map { _ in fixture.begin(try ClientFixture.query(maxAge: .zero)) }
        #expect(await fixture.status().limiterWaiting == 1)
        await fixture.advance(by: .milliseconds(999))
        #expect(fixture.emulator.state.total == 1)
        await fixture.advance(by: .milliseconds(1))
        for call in calls { #expect(try await call.answer().age == .zero) }
        #expect(fixture.emulator.state.total == 2)
    }

    @Test func `a call that gives up frees its place at the limiter`() async throws {
        let fixture = try ClientFixture(ratePerKey: 1)
        _ = try await fixture.answer(to: ClientFixture.query())
        let first = fixture.begin(try ClientFixture.query(version: 1))
        let second = fixture.begin(try ClientFixture.query(version: 3))
        #expect(await fixture.status().limiterWaiting == 2)
        first.call.cancel()
        #expect(try await first.error().code == .cancelled)
        #expect(await fixture.status().limiterWaiting == 1)
        await fixture.advance(by: .seconds(1))
        #expect(try await second.answer().source == .kms)
        #expect(fixture.emulator.state.total == 2)
    }

    @Test func `throttling halves a key's rate, and other keys know nothing of it`() async throws {
        let fixture = try ClientFixture(faults: ["code=410,count=1,key=demo-rsa"], ratePerKey: 2)
        // Throttled, repeated after the half second that a rate of 1 leaves: a random of 0 is no backoff.
        let call = fixture.begin(try ClientFixture.query())
        try await fixture.wait { $0.limiterWaiting == 1 }
        #expect(try await fixture.answer(to: ClientFixture.query("demo-ec")).attempts == 1)
        await fixture.advance(by: .milliseconds(500))
        #expect(try await call.answer().attempts == 2)
        #expect(await fixture.status().upstream.throttled == 1)
        // The rate is 1 a second from here.
        let next = fixture.begin(try ClientFixture.query(version: 1))
        await fixture.advance(by: .milliseconds(900))
        #expect(await fixture.status().limiterWaiting == 1)
        await fixture.advance(by: .milliseconds(100))
        #expect(try await next.answer().attempts == 1)
    }

    // MARK: Cancellation

    @Test func `a task that is cancelled cancels its call`() async throws {
        let fixture = try ClientFixture(faults: ["hang,count=1"])
        let query = try ClientFixture.query()
        let task = Task { try await fixture.client.publicKey(query) }
        try await fixture.wait { _ in fixture.emulator.state.total == 1 }
        task.cancel()
        let error = await #expect(throws: KMSError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        try await fixture.wait { _ in fixture.emulator.state.aborted == 1 }
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
