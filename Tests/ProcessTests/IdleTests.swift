import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "idle". The kernel counts how often each thread was woken.
@Suite(.timeLimit(.minutes(5))) struct IdleTests {
    @Test(.notUnderThreadSanitizer)
    func `while another process does a thousand things an idle one does nothing`() async throws {
        try await idle {
            _ = try await ServiceProcess.run { busy in
                for number in 1...1_000 { _ = try await busy.ask(Lines.probe(number)) }
            }
        }
    }

    @Test(.enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"))
    func `idle for a minute it does nothing`() async throws {
        try await idle {
            // The time is what this is about.
            try await onOwnThread { _ = poll(nil, 0, 60_000) }
        }
    }

    @Test(
        .enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"),
        .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"))
    func `a minute after the last call it closes its connection to a shared engine, and then does nothing`()
        async throws
    {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        defer { kms.emulator.stop() }
        let outcome = try await ServiceProcess.run(
            Soak.program, arguments: ["--shared", engine.url, "--shared-keys", "on"] + Fleet.patient,
            environment: kms.environment
        ) { process in
            for key in ["demo-rsa", "demo-ec"] { _ = try await process.key(key) }
            let files = ProcessFiles(processID: process.processID)
            let connected = try await files.settled()
            let descriptors = try files.descriptors().count
            let memory = try files.status()["VmRSS"] ?? ""
            #expect(connected.count == 1)
            // The time is what this is about.
            try await Soak.sleep(.seconds(62))
            let closed = try files.threads()
            let wakeUps = try Self.wakeUps(closed) - Self.wakeUps(connected)
            let left = try files.descriptors().count
            try Soak.report("idle, shared engine: wake-ups in 62 s", wakeUps, limit: "1")
            try Soak.report("idle, shared engine: descriptors", "\(descriptors), then \(left)", limit: "one less")
            try Soak.report(
                "idle, shared engine: memory", "\(memory), then \(try files.status()["VmRSS"] ?? "")")
            #expect(wakeUps == 1)
            #expect(left == descriptors - 1)
            // Only the client that asks is left.
            #expect(try engine.command("CLIENT", "LIST", "TYPE", "normal").split(separator: "\n").count == 1)
            try await Soak.sleep(.seconds(62))
            #expect(try files.threads() == closed)
            #expect(try await process.key("demo-rsa", #","maxAgeMs":0"#).source == "kms")
            #expect(try await process.sharedStatus()["state"]?.string == "connected")
        }
        #expect(outcome.status == 0)
    }

    /// How often a thread has gone to sleep.
    private static func wakeUps(_ threads: [String: ProcessFiles.ThreadActivity]) throws -> Int {
        try threads.values.reduce(0) { try $0 + #require(Int($1.switches[0])) }
    }

    /// Has a process make calls, and then expects that no thread of it wakes up while `body` runs.
    private func idle(while body: () async throws -> Void) async throws {
        try await EmulatedKMS.with { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                // Connections, cached keys, failures and a deadline that was not needed: all that could leave a timer.
                for (number, key) in ["demo-rsa", "demo-ec", "demo-rsa", "nobody", "demo-aes"].enumerated() {
                    _ = try await process.ask(Lines.getPublicKey(number, key))
                }
                let files = ProcessFiles(processID: process.processID)
                let before = try await files.settled()
                #expect(before.count == 1)
                try await body()
                #expect(try files.threads() == before)
                _ = try await process.ask(Lines.probe(1))
            }
            #expect(outcome.status == 0)
        }
    }
}
