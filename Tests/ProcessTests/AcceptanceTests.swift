import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// A thousand calls of all kinds through the real program and an emulator over TLS.
@Suite(.timeLimit(.minutes(5))) struct AcceptanceTests {
    private static let seed = acceptanceSeed()

    @Test func `a thousand calls at once have a correct answer each`() async throws {
        try await EmulatedKMS.with(seed: Self.seed) { kms in
            let calls = AcceptanceCall.random(1_000, of: Self.seed, seed: 1)
            let outcome = try await ServiceProcess.answers(
                to: calls.map { $0.line + "\n" }.joined(), environment: kms.environment)
            try check(calls, outcome.result)
            #expect(outcome.status == 0)
        }
    }

    @Test func `a thousand calls one at a time have a correct answer each`() async throws {
        try await EmulatedKMS.with(seed: Self.seed) { kms in
            let calls = AcceptanceCall.random(1_000, of: Self.seed, seed: 2)
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                for call in calls {
                    let answer = try await process.ask(call.line)
                    #expect(answer.id == call.id)
                    call.check(answer)
                }
                process.closeInput()
                return await process.rest()
            }
            #expect(outcome.result == [])
            #expect(outcome.status == 0)
        }
    }

    @Test func `ten thousand calls piped in at once have an answer each, in 40 MB`() async throws {
        try await EmulatedKMS.with(seed: Self.seed) { kms in
            let calls = AcceptanceCall.random(10_000, of: Self.seed, seed: 3)
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                let text = Array(calls.map { $0.line + "\n" }.joined().utf8)
                let writer = Task { try await onOwnThread { try process.send(text) } }
                var lines: [String] = []
                while lines.count < calls.count, let line = await process.nextLine() { lines.append(line) }
                try await writer.value
                let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
                #expect(peak < 40_000 || ProcessFiles.isSanitized)
                process.closeInput()
                return lines + (await process.rest())
            }
            try check(calls, outcome.result)
            #expect(outcome.status == 0)
        }
    }

    @Test func `ten thousand calls of a file have an answer each`() async throws {
        try await EmulatedKMS.with(seed: Self.seed) { kms in
            let calls = AcceptanceCall.random(10_000, of: Self.seed, seed: 4)
            let folder = try TemporaryDirectory()
            // Without a final line end.
            let path = try folder.write("calls", calls.map(\.line).joined(separator: "\n").utf8)
            let outcome = try await ServiceProcess.run(
                environment: kms.environment, input: try .file(path, O_RDONLY), readsLog: true
            ) { await $0.rest() }
            try check(calls, outcome.result)
            #expect(outcome.status == 0)
        }
    }

    private func check(_ calls: [AcceptanceCall], _ lines: [String]) throws {
        var answers: [String: WireAnswer] = [:]
        for line in lines {
            let answer = try WireAnswer(line)
            #expect(answers.updateValue(answer, forKey: answer.id) == nil, "answered twice: \(answer.id)")
        }
        #expect(answers.count == calls.count)
        for call in calls { call.check(answers[call.id]) }
    }

    /// Sixty keys of all sorts, whose versions have the demonstration's key material.
    private static func acceptanceSeed() -> Seed {
        let kinds = Seed.demo.keys
        return Seed(
            keys: (0..<60).map { number in
                var key = kinds[number % kinds.count]
                key.keyTag = "\(key.keyTag)-\(number)"
                if number % 10 == 9 { key.status = .disabled }
                return key
            })
    }
}
