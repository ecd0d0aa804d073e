import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Coalescing, limiter and retry quota, through the real program.
@Suite(.timeLimit(.minutes(5))) struct ResilienceTests {
    /// As many keys as calls, all of the demonstration's elliptic curve.
    private static func keys(_ count: Int) -> Seed {
        Seed(keys: (0..<count).map { Seed.Key("k\($0)", .ecdsa, [demoKey]) })
    }

    // MARK: Coalescing

    @Test func `256 identical calls at once reach the service once`() async throws {
        try await EmulatedKMS.with(faults: ["delay=300"]) { kms in
            _ = try await kms.run { process in
                let text = (0..<256).map { Lines.getPublicKey($0, "demo-ec") }
                try process.send("[\(text.joined(separator: ","))]")
                let answers = try WireAnswer.batch(await process.nextLine() ?? "")
                #expect(answers.count == 256)
                #expect(answers.allSatisfy { $0.result?["source"]?.string == "kms" })
                #expect(answers.allSatisfy { $0.result?["attempts"]?.integer == 1 })
                let status = try await process.status()
                #expect(status["cache"]?["coalesced"]?.integer == 255)
                #expect(status["upstream"]?["attempts"]?.integer == 1)
            }
            #expect(kms.emulator.state.total == 1)
        }
    }

    @Test func `a call that asks for a new answer does not take one that was asked for before it came`() async throws {
        let key = #"{"keyTag":"demo-ec","maxAgeMs":0}"#
        try await EmulatedKMS.with(faults: ["hang,count=1"]) { kms in
            _ = try await kms.run { process in
                try process.beginGetPublicKey(1, key)
                try await kms.emulator.waitForState { $0.total == 1 }
                let second = try await process.getPublicKey(key)
                #expect(second.code == nil, "\(second.message)")
                #expect(second.ageMilliseconds == 0)
                #expect(kms.emulator.state.total == 2)
                // The cache has what the second call brought, which the first could not use, either.
                #expect(try await process.getPublicKey(#"{"keyTag":"demo-ec"}"#).source == "cache")
                try process.send(Lines.cancel(1))
                #expect(try await process.nextFaultAnswer().code == -32800)
            }
        }
    }

    @Test func `calls share a fetch that still waits for the limiter`() async throws {
        let key = #"{"keyTag":"demo-ec","maxAgeMs":0}"#
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(["--rate-per-key", "1"]) { process in
                #expect(try await process.getPublicKey(key).attempts == 1)
                for id in 0..<50 { try process.beginGetPublicKey(id, key) }
                for _ in 0..<50 { #expect(try await process.nextFaultAnswer().ageMilliseconds == 0) }
            }
            #expect(kms.emulator.state.total == 2)
        }
    }

    @Test func `calls share a fetch that still waits for a connection`() async throws {
        try await EmulatedKMS.with(faults: ["delay=300,key=demo-rsa"]) { kms in
            _ = try await kms.run(["--max-connections", "1"]) { process in
                try process.beginGetPublicKey(99, #"{"keyTag":"demo-rsa"}"#)
                for id in 0..<50 { try process.beginGetPublicKey(id, #"{"keyTag":"demo-ec","maxAgeMs":0}"#) }
                for _ in 0...50 { #expect(try await process.nextFaultAnswer().code == nil) }
            }
            #expect(kms.emulator.state.perKey == ["demo-rsa": 1, "demo-ec": 1])
            #expect(kms.emulator.state.openedConnections == 1)
        }
    }

    @Test func `256 calls for 256 keys run 32 at a time`() async throws {
        try await EmulatedKMS.with(seed: Self.keys(256), faults: ["hang,count=32"]) { kms in
            _ = try await kms.run { process in
                for id in 0..<256 { try process.send(Lines.getPublicKey(id, "k\(id)")) }
                try await kms.emulator.waitForState { $0.total == 32 }
                // Everybody has arrived, and nobody else has been sent.
                _ = try await process.status()
                #expect(kms.emulator.state.total == 32)
                #expect(kms.emulator.state.openConnections == 32)
                for id in 0..<32 { try process.send(Lines.cancel(id)) }
                let codes = try await process.nextFaultAnswers(256).map(\.code)
                #expect(codes.count { $0 == -32800 } == 32)
                #expect(codes.count { $0 == nil } == 224)
            }
            #expect(kms.emulator.state.total == 256)
        }
    }

    // MARK: Cancellation

    @Test func `a cancelled call among a hundred joined ones is the only one that fails`() async throws {
        let gate = Gate()
        let service = try RawResponder { connection in
            try connection.readRequest()
            gate.wait()
            try connection.send(RawResponder.answer("200 OK", body: keyBody))
        }
        defer { service.stop() }
        _ = try await ServiceProcess.run(endpoint: service.baseURL) { process in
            for id in 0..<100 { try process.send(Lines.getPublicKey(id, "k")) }
            try process.send(Lines.cancel(0))
            #expect(try await process.nextFaultAnswer().code == -32800)
            // Everybody has joined by now: the status is answered after what came before it.
            #expect(try await process.status()["cache"]?["coalesced"]?.integer == 99)
            gate.open()
            for _ in 1..<100 { #expect(try await process.nextFaultAnswer().source == "kms") }
        }
        #expect(service.requests.count == 1)
    }

    @Test func `cancelling all hundred aborts the transfer, and the next call begins anew`() async throws {
        try await EmulatedKMS.with(faults: ["hang,count=1"]) { kms in
            _ = try await kms.run { process in
                for id in 0..<100 { try process.send(Lines.getPublicKey(id, "demo-ec")) }
                try await kms.emulator.waitForState { $0.total == 1 }
                for id in 0..<100 { try process.send(Lines.cancel(id)) }
                try process.send(Lines.getPublicKey(100, "demo-ec"))
                let answers = try await process.nextFaultAnswers(101)
                #expect(answers.count { $0.code == -32800 } == 100)
                #expect(answers.first { $0.code == nil }?.source == "kms")
                try await kms.emulator.waitForState { $0.aborted == 1 }
            }
            #expect(kms.emulator.state.total == 2)
        }
    }

    // MARK: Deadlines

    @Test func `a limiter that can't admit a call in time says so at once, and sends nothing`() async throws {
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(["--rate-per-key", "1"]) { process in
                // Their turns come a second apart, and nobody waits for that here.
                for id in 0..<20 {
                    try process.beginGetPublicKey(id, #"{"keyTag":"demo-rsa","keyVersion":\#(id + 1)}"#)
                }
                try process.beginGetPublicKey(99, #"{"keyTag":"demo-rsa","timeoutMs":300}"#)
                var answer = try await process.nextFaultAnswer()
                while answer.code != 1006 { answer = try await process.nextFaultAnswer() }
                #expect(answer.reason == "local-limit")
                #expect(answer.attempts == nil)
                let wait = try #require(answer.retryAfterMilliseconds)
                #expect((300...20_000).contains(wait))
                // What has begun by now is all that is sent.
                for id in 0..<20 { try process.send(Lines.cancel(id)) }
            }
            #expect(kms.emulator.state.perKey["demo-rsa"] ?? 0 < 20)
        }
    }

    @Test func `a call that joins a wait that it could not sit out fails at once, with what went wrong`() async throws {
        // The first caller has time for the second attempt, which comes in five seconds; the second one has not.
        try await EmulatedKMS.with(faults: ["status=503,retry-after=5"]) { kms in
            _ = try await kms.run { process in
                try process.beginGetPublicKey(1, #"{"keyTag":"demo-ec"}"#)
                let line = try #require(await process.logLine(containing: "retrying"))
                #expect(line.contains(#""requests":"1""#) && line.contains(#""keyTag":"demo-ec""#))
                let answer = try await process.getPublicKey(#"{"keyTag":"demo-ec","timeoutMs":200}"#)
                #expect(answer.code == 1008)
                #expect(answer.reason == "deadline")
                #expect(answer.attempts == 1)
                #expect(answer.httpStatus == 503)
                try process.send(Lines.cancel(1))
                #expect(try await process.nextFaultAnswer().code == -32800)
            }
            #expect(kms.emulator.state.total == 1)
        }
    }

    // MARK: The retry quota

    @Test func `a service that is down gets three requests a call until the quota is spent, then one`() async throws {
        try await EmulatedKMS.with(faults: ["status=503"]) { kms in
            _ = try await kms.run { process in
                var answers: [FaultAnswer] = []
                for _ in 0..<10 { answers.append(try await process.getPublicKey()) }
                #expect(answers.allSatisfy { $0.attempts == 3 && $0.reason == "attempts" })
                for id in 0..<100 { try process.send(Lines.getPublicKey(id, "k\(id)")) }
                answers += try await process.nextFaultAnswers(100)
                #expect(answers.allSatisfy { $0.code == 1008 })
                #expect(answers.contains { $0.reason == "quota" && $0.attempts == 1 })
                let attempts = answers.reduce(0) { $0 + ($1.attempts ?? 0) }
                #expect(attempts == kms.emulator.state.total)
                let status = try await process.status()
                #expect(status["upstream"]?["attempts"]?.integer == attempts)
                #expect(status["upstream"]?["retries"]?.integer == attempts - 110)
                #expect(status["upstream"]?["failures"]?.integer == attempts)
                #expect(status["retryQuota"]?["capacity"]?.integer == 500)
            }
        }
    }
}
