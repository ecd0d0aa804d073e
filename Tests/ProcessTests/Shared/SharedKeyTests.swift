import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Real processes, an emulator and a real engine: keys that are fetched once for all.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedKeyTests {
    private func arguments(_ engine: RedisServer, keys: String = "on") -> [String] {
        ["--shared", engine.url, "--shared-keys", keys] + Fleet.patient
    }

    @Test func `what one process has fetched the next one finds`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        try await Fleet.run(2, arguments(engine), environment: kms.environment) { members async throws in
            let first = try await members[0].key()
            let second = try await members[1].key()
            #expect([first.source, second.source] == ["kms", "shared"])
            #expect(first["publicKey"]?.string == second["publicKey"]?.string)
            #expect(first["requestId"]?.string == second["requestId"]?.string)
            #expect(try #require(second.ageMilliseconds) >= 0)
            // From then on it is in the process's own cache.
            #expect(try await members[1].key().source == "cache")
            let keys = try #require(try await members[1].sharedStatus()["keys"])
            #expect(keys["hits"]?.integer == 1)
            #expect(keys["stored"]?.integer == 0)
            let storer = try #require(try await members[0].sharedStatus(stored: 1)["keys"])
            #expect(storer["led"]?.integer == 1)
            // The service is asked all the same if a call says so.
            #expect(try await members[1].key("demo-rsa", #","maxAgeMs":0"#).source == "kms")
        }
        #expect(kms.emulator.state.total == 2)
    }

    @Test func `commands that end at once leave their key to others`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        for _ in 0..<3 {
            let run = try await ServiceProcess.output(
                of: ["get-public-key", "demo-ec"] + arguments(engine), environment: kms.environment)
            #expect(run.status == 0, "\(run.log)")
        }
        // And a process whose input ends at once.
        for _ in 0..<3 {
            let line = Lines.getPublicKey(1, "demo-rsa")
            let run = try await ServiceProcess.answers(
                to: line, arguments: arguments(engine), environment: kms.environment)
            #expect(run.status == 0, "\(run.log)")
        }
        #expect(kms.emulator.state.perKey == ["demo-ec": 1, "demo-rsa": 1])
    }

    @Test func `with read a process uses keys and stores none`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        try await Fleet.run(1, arguments(engine, keys: "read"), environment: kms.environment) { readers async throws in
            #expect(try await readers[0].key().source == "kms")
            // The budget is gone after 15 s.
            let names = try engine.command("KEYS", "*").split(separator: "\n")
            #expect(names.allSatisfy { $0.hasPrefix("nkms:1:b:") }, "\(names)")
            try await Fleet.run(1, arguments(engine), environment: kms.environment) { members async throws in
                #expect(try await members[0].key("demo-ec").source == "kms")
            }
            #expect(try await readers[0].key("demo-ec").source == "shared")
        }
        #expect(kms.emulator.state.perKey == ["demo-rsa": 1, "demo-ec": 1])
    }

    @Test func `twenty cold processes make at most three requests`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        let sources = try await Fleet.run(20, arguments(engine), environment: kms.environment) { members async throws in
            for member in members { try member.send(Lines.getPublicKey(1, timeoutMilliseconds: 60_000)) }
            var sources: [String] = []
            for member in members {
                sources.append(try await member.nextAnswer().result?.source ?? "none")
            }
            return sources
        }
        #expect(kms.emulator.state.total <= 3)
        #expect(sources.filter { $0 == "kms" }.count == kms.emulator.state.total)
        #expect(sources.allSatisfy { $0 == "kms" || $0 == "shared" }, "\(sources)")
    }

    @Test func `another process takes over from a leader that was killed`() async throws {
        let kms = try EmulatedKMS(faults: ["hang,count=1"])
        let engine = try RedisServer()
        _ = try await ServiceProcess.run(arguments: arguments(engine), environment: kms.environment) {
            leader async throws in
            try leader.send(Lines.getPublicKey(1, timeoutMilliseconds: 60_000))
            try await kms.waitForRequests("demo-rsa", 1)
            try await Fleet.run(3, arguments(engine), environment: kms.environment) { followers async throws in
                for follower in followers { try follower.send(Lines.getPublicKey(1, timeoutMilliseconds: 60_000)) }
                // They ask for the key in the turn in which they are connected.
                _ = try await onOwnThreadPolling { () -> Bool? in
                    try engine.command("CLIENT", "LIST", "TYPE", "normal").split(separator: "\n").count == 5
                        ? true : nil
                }
                leader.signal(SIGKILL)
                var sources: [String] = []
                for follower in followers {
                    sources.append(try await follower.nextAnswer().result?.source ?? "none")
                }
                #expect(sources.sorted() == ["kms", "shared", "shared"])
            }
        }
        #expect(kms.emulator.state.total == 2)
    }

    @Test func `two identities on one key share its budget and no entry`() async throws {
        var seed = Seed.demo
        let other = Seed.AccessKey(id: "OTHERACCESSKEY000001", secret: "OTHERSECRETKEYnotasecret00000000000000001")
        seed.accessKeys.append(other)
        let (kms, engine) = (try EmulatedKMS(seed: seed), try RedisServer())
        var others = kms.environment
        others["NCLOUD_ACCESS_KEY_ID"] = other.id
        others["NCLOUD_SECRET_ACCESS_KEY"] = other.secret
        for environment in [kms.environment, others] {
            try await Fleet.run(1, arguments(engine), environment: environment) { members async throws in
                #expect(try await members[0].key().source == "kms")
            }
        }
        let kinds = try engine.command("KEYS", "*").split(separator: "\n").map { $0.split(separator: ":")[2] }
        #expect(kinds.count { $0 == "k" } == 2)
        // It is gone after 15 s.
        #expect(kinds.count { $0 == "b" } <= 1)

        // Unless they have a secret in common.
        let folder = try TemporaryDirectory()
        try folder.write(String(repeating: "m", count: 32), to: "mac")
        let common = arguments(engine) + ["--shared-mac-file", folder.path("mac")]
        for (environment, source) in [(kms.environment, "kms"), (others, "shared")] {
            try await Fleet.run(1, common, environment: environment) { members async throws in
                #expect(try await members[0].key().source == source)
            }
        }
    }
}
