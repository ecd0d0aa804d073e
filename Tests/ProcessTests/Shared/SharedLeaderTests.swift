import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Real processes and a real engine: a leader whose call ends lets another process lead, at once.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedLeaderTests {
    private func arguments(_ engine: RedisServer) -> [String] {
        ["--shared", engine.url, "--shared-keys", "on"] + Fleet.patient
    }

    private func markers(_ engine: RedisServer) throws -> String { try engine.command("KEYS", "nkms:1:f:*") }

    /// How a call of the leader ends while the service hangs.
    enum End: CaseIterable {
        case deadline, cancellation, signal
    }

    @Test(arguments: End.allCases) func `a leader whose call ends leaves no marker`(end: End) async throws {
        let (kms, engine) = (try EmulatedKMS(faults: ["hang"]), try RedisServer())
        _ = try await ServiceProcess.run(arguments: arguments(engine), environment: kms.environment) {
            leader async throws in
            let time = end == .deadline ? 2_000 : 60_000
            try leader.send(Lines.getPublicKey(1, timeoutMilliseconds: time))
            try await kms.waitForRequests("demo-rsa", 1)
            #expect(try markers(engine).hasPrefix("nkms:1:f:{"))
            switch end {
            case .deadline: break
            case .cancellation: try leader.send(Lines.cancel("1"))
            case .signal: leader.signal(SIGTERM)
            }
            #expect(try await leader.nextAnswer().result == nil)
            // The marker would last another 700 ms at least.
            #expect(try markers(engine) == "")
        }
    }

    @Test func `after the service refused a leader, others ask it at once`() async throws {
        let (kms, engine) = (try EmulatedKMS(faults: ["status=403,code=210,count=1"]), try RedisServer())
        try await Fleet.run(2, arguments(engine), environment: kms.environment) { members async throws in
            let answer = try await members[0].ask(Lines.getPublicKey(1))
            #expect(answer.code == 1003)
            let names = try markers(engine).split(separator: "\n")
            #expect(names.count == 1)
            #expect(try engine.command("GET", String(names.first ?? "")) == "0")
            // Nobody leads, and nobody waits for a leader.
            #expect(try await members[1].key().source == "kms")
            let keys = try await members[1].sharedStatus(stored: 1)["keys"]
            #expect(keys?["led"]?.integer == 0)
            #expect(keys?["followed"]?.integer == 0)
        }
    }

    /// The engine makes it the leader after its death.
    @Test func `a leader that was killed before it was told so keeps nobody waiting for long`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        try await Fleet.run(2, arguments(engine), environment: kms.environment) { members async throws in
            // Connected, so that the question is in the socket at once.
            for member in members { try await member.callUntilConnected() }
            let sent = try await members[0].sharedStatus()["commands"]?.integer ?? 0
            engine.pause()
            try members[0].send(Lines.getPublicKey(1, "demo-ec"))
            _ = try await members[0].sharedStatus { $0["commands"]?.integer != sent }
            // Whatever that turn sent was sent by the next one.
            _ = try await members[0].sharedStatus()
            members[0].signal(SIGKILL)
            try members[1].send(Lines.getPublicKey(1, "demo-ec"))
            engine.resume()
            #expect(try await members[1].nextAnswer().result?.source == "kms")
            let keys = try await members[1].sharedStatus()["keys"]
            #expect(keys?["followed"]?.integer == 1)
            #expect(keys?["led"]?.integer == 1)
        }
        #expect(kms.emulator.state.perKey["demo-ec"] == 1)
    }
}
