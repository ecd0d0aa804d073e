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
}
