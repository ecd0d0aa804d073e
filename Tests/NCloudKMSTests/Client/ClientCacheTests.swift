import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// The cache and the fetches of the client as a whole, on an injected clock.
@Suite(.timeLimit(.minutes(5))) struct ClientCacheTests {
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

    @Test func `a hit in the last tenth of the time to live is answered at once and refreshed in the background`()
        async throws
    {
        let fixture = try ClientFixture()
        let query = try ClientFixture.query()
        _ = try await fixture.answer(to: query)
        await fixture.advance(by: .seconds(280))
        let hit = try await fixture.answer(to: query)
        #expect(hit.source == .cache)
        #expect(hit.age == .seconds(280))
        #expect(await fixture.status().cache.misses == 1)
        // This call joins the refresh, or finds what it stored.
        #expect(try await fixture.answer(to: ClientFixture.query(maxAge: .seconds(1))).age == .zero)
        #expect(fixture.emulator.state.total == 2)
    }

    @Test(arguments: [
        ("status=503", KMSError.Code.serviceUnavailable, true), ("code=410,retry-after=40000", .rateLimited, true),
        ("code=210", .permissionDenied, false),
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

    @Test func `an expired answer stands in at the deadline`() async throws {
        let fixture = try ClientFixture(staleIfError: .seconds(600))
        _ = try await fixture.answer(to: ClientFixture.query())
        fixture.emulator.setFaults([try Fault(parsing: "hang")])
        await fixture.advance(by: .seconds(301))
        let call = fixture.begin(try ClientFixture.query())
        try await fixture.emulator.waitForState { $0.total == 2 }
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

    @Test func `what other credentials brought after a refusal is there for the next call`() async throws {
        let folder = try TemporaryDirectory()
        func use(_ key: Seed.AccessKey) throws -> Seed {
            try folder.write(
                "[DEFAULT]\nncloud_access_key_id = \(key.id)\nncloud_secret_access_key = \(key.secret)\n", to: "profile"
            )
            return Seed(accessKeys: [key], keys: Seed.demo.keys)
        }
        let fixture = try ClientFixture(
            seed: try use(Seed.AccessKey(id: "OLDKEY", secret: "an-old-secret")),
            credentials: .lookup(
                CredentialLookup(environment: EnvironmentVariables([:]), configurationFile: folder.path("profile"))))
        #expect(try await fixture.answer(to: ClientFixture.query("demo-rsa")).attempts == 1)
        fixture.emulator.setSeed(try use(Seed.AccessKey(id: "NEWKEY", secret: "a-new-secret")))
        #expect(try await fixture.answer(to: ClientFixture.query("demo-ec")).attempts == 2)
        #expect(try await fixture.answer(to: ClientFixture.query("demo-ec")).source == .cache)
    }
}
