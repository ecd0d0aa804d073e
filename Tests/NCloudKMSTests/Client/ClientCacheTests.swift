import KMSEmulator
import Platform
import TestSupport
import Testing

@testable import NCloudKMS

/// Spec page 03, Cache: the client as a whole, on an injected clock.
@Suite(.timeLimit(.minutes(1))) struct ClientCacheTests {
    @Test func `an answer is fresh for the time to live, counted from the start of its fetch`() async throws {
        let fixture = try ClientFixture()
        let query = try ClientFixture.query()
        #expect(try await fixture.answer(to: query).source == .kms)
        await fixture.advance(by: .seconds(200))
        let cached = try await fixture.answer(to: query)
        #expect(cached.source == .cache)
        #expect(cached.age == .seconds(200))
        // A call may want a younger one.
        #expect(try await fixture.answer(to: ClientFixture.query(maxAge: .seconds(199))).source == .kms)
        #expect(try await fixture.answer(to: query).age == .zero)
        await fixture.advance(by: .seconds(301))
        #expect(try await fixture.answer(to: query).source == .kms)
        #expect(fixture.emulator.state.total == 3)
    }

    /// As it is for requests that are read together: the first one's answer may be there before the second is looked at.
    @Test func `a call that wants the service asked may have what was fetched since it came`() async throws {
        let fixture = try ClientFixture()
        let query = try ClientFixture.query(maxAge: .zero)
        let arrival = fixture.clock.now
        await fixture.advance(by: .milliseconds(1))
        #expect(try await fixture.answer(to: query).source == .kms)
        let shared = try await fixture.outcome(of: query, arrival: arrival).get()
        #expect(shared.source == .kms)
        #expect(shared.age == .zero)
        #expect(fixture.emulator.state.total == 1)
        await fixture.advance(by: .milliseconds(1))
        #expect(try await fixture.answer(to: query).source == .kms)
        #expect(fixture.emulator.state.total == 2)
    }

    @Test func `a hit in the last tenth of the time to live is answered at once and refreshed behind`() async throws {
        let fixture = try ClientFixture()
        let query = try ClientFixture.query()
        _ = try await fixture.answer(to: query)
        await fixture.advance(by: .seconds(280))
        let hit = try await fixture.answer(to: query)
        #expect(hit.source == .cache)
        #expect(hit.age == .seconds(280))
        try await fixture.wait { _ in try await fixture.answer(to: query).age == .zero }
        #expect(fixture.emulator.state.total == 2)
        #expect(await fixture.status().cache.misses == 1)
    }

    @Test(arguments: [
        ("status=503", 3, true), ("html,status=200", 2, true), ("code=210", 1, true), ("code=300", 1, false),
    ])
    func `a refresh that fails changes nothing, unless it is the key that is gone`(
        fault: String, attempts: Int, remains: Bool
    ) async throws {
        let fixture = try ClientFixture()
        let query = try ClientFixture.query()
        _ = try await fixture.answer(to: query)
        fixture.emulator.setFaults([try Fault(parsing: fault)])
        await fixture.advance(by: .seconds(280))
        #expect(try await fixture.answer(to: query).source == .cache)
        try await fixture.wait { $0.upstream.failures == attempts && $0.cache.entries == (remains ? 1 : 0) }
        if remains { #expect(try await fixture.answer(to: query).source == .cache) }
        // Not asked for again and again.
        #expect(fixture.emulator.state.total == 1 + attempts)
    }

    @Test(arguments: [
        ("status=503", KMSError.Code.serviceUnavailable, true), ("reset", .serviceUnavailable, true),
        ("code=410,retry-after=40000", .rateLimited, true), ("code=400", .quotaExceeded, false),
        ("code=210", .permissionDenied, false), ("code=200", .authenticationFailed, false),
        ("code=300", .keyNotFound, false), ("code=UNPROCESSABLE_ENTITY", .keyUnusable, false),
        ("html,status=200", .invalidServiceResponse, false), ("code=100", .requestRejected, false),
    ])
    func `an expired answer stands in for a service that can't be asked, and for nothing else`(
        fault: String, code: KMSError.Code, standsIn: Bool
    ) async throws {
        let fixture = try ClientFixture(staleIfError: .seconds(600))
        // Longer than the hint of the throttled one moves the delay.
        let query = try ClientFixture.query(timeout: .seconds(4))
        _ = try await fixture.answer(to: query)
        fixture.emulator.setFaults([try Fault(parsing: fault)])
        await fixture.advance(by: .seconds(301))
        // Who says how old an answer may be gets none that is older.
        #expect(
            try await fixture.error(of: ClientFixture.query(maxAge: .seconds(300), timeout: .seconds(4))).code == code)
        let outcome = await fixture.outcome(of: query)
        if standsIn {
            let stale = try outcome.get()
            #expect(stale.source == .stale)
            #expect(stale.age == .seconds(301))
            #expect(await fixture.status().cache.stale == 1)
            // Too old for that, too.
            await fixture.advance(by: .seconds(600))
        }
        #expect(try await fixture.error(of: query).code == code)
        fixture.emulator.setFaults([])
        #expect(try await fixture.answer(to: query).source == .kms)
    }

    @Test func `without stale-if-error nothing stands in`() async throws {
        let fixture = try ClientFixture()
        _ = try await fixture.answer(to: ClientFixture.query())
        fixture.emulator.setFaults([try Fault(parsing: "status=503")])
        await fixture.advance(by: .seconds(301))
        #expect(try await fixture.error(of: ClientFixture.query()).code == .serviceUnavailable)
    }

    @Test func `an expired answer stands in at the deadline`() async throws {
        let fixture = try ClientFixture(staleIfError: .seconds(600))
        _ = try await fixture.answer(to: ClientFixture.query())
        fixture.emulator.setFaults([try Fault(parsing: "hang")])
        await fixture.advance(by: .seconds(301))
        let call = fixture.begin(try ClientFixture.query())
        try await fixture.wait { _ in fixture.emulator.state.total == 2 }
        await fixture.advance(by: .seconds(30))
        let answer = try await call.answer()
        #expect(answer.source == .stale)
        // As old as it was when the call came.
        #expect(answer.age == .seconds(301))
    }

    @Test(arguments: [("code=300", KMSError.Code.keyNotFound), ("code=UNPROCESSABLE_ENTITY", .keyUnusable)])
    func `a key that is gone or unusable leaves the cache`(fault: String, code: KMSError.Code) async throws {
        let fixture = try ClientFixture(staleIfError: .seconds(600))
        _ = try await fixture.answer(to: ClientFixture.query())
        fixture.emulator.setFaults([try Fault(parsing: fault)])
        #expect(try await fixture.error(of: ClientFixture.query(maxAge: .zero)).code == code)
        #expect(await fixture.status().cache.entries == 0)
        #expect(try await fixture.error(of: ClientFixture.query()).code == code)
        // Nor does it stand in afterwards.
        fixture.emulator.setFaults([try Fault(parsing: "status=503")])
        #expect(try await fixture.error(of: ClientFixture.query()).code == .serviceUnavailable)
    }

    @Test(arguments: ["code=210", "code=400", "code=100", "status=503", "html,status=200"])
    func `any other failure leaves the key where it is`(fault: String) async throws {
        let fixture = try ClientFixture()
        _ = try await fixture.answer(to: ClientFixture.query())
        fixture.emulator.setFaults([try Fault(parsing: fault)])
        _ = try await fixture.error(of: ClientFixture.query(maxAge: .zero))
        #expect(try await fixture.answer(to: ClientFixture.query()).source == .cache)
    }

    @Test func `with a time to live of zero every call asks the service`() async throws {
        let fixture = try ClientFixture(timeToLive: .zero, staleIfError: .seconds(600))
        for round in 1...3 {
            #expect(try await fixture.answer(to: ClientFixture.query()).source == .kms)
            #expect(fixture.emulator.state.total == round)
        }
        fixture.emulator.setFaults([try Fault(parsing: "status=503")])
        #expect(try await fixture.error(of: ClientFixture.query()).code == .serviceUnavailable)
    }
}
