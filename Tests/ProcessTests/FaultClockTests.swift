import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The service's clock and this machine's are apart.
@Suite(.timeLimit(.minutes(5))) struct FaultClockTests {
    @Test(arguments: [("+6m", 360_000), ("-6m", -360_000), ("+23h", 82_800_000)])
    func `a clock that is off costs the first call one attempt more, and the others none`(
        skew: String, milliseconds: Int
    ) async throws {
        try await EmulatedKMS.with(faults: ["skew=\(skew)"]) { kms in
            let outcome = try await kms.run { process in
                let first = try await process.getPublicKey()
                #expect(first.code == nil, "\(first.message)")
                #expect(first.attempts == 2)
                for _ in 0..<5 { #expect(try await process.getPublicKey().attempts == 1) }
                let status = try await process.status()
                // The service's Date has whole seconds.
                let offset = try #require(status["clockSkewMs"]?.integer)
                #expect(abs(offset - milliseconds) < 30_000, "\(offset)")
                #expect(status["retryQuota"]?["available"]?.integer == 500)
            }
            #expect(kms.emulator.state.total == 7)
            #expect(kms.emulator.state.signaturesRefused == 1)
            let lines = outcome.logLines.filter { $0.contains("clock") }
            #expect(lines.count == 1)
            #expect(lines.first?.contains(#""level":"warning""#) == true)
        }
    }

    @Test(arguments: ["+3m", "-3m"])
    func `a clock that is off by less than the service minds is left alone`(skew: String) async throws {
        try await EmulatedKMS.with(faults: ["skew=\(skew)"]) { (kms) async throws in
            let outcome = try await kms.run { (process) async throws in
                #expect(try await process.getPublicKey().attempts == 1)
                #expect(try await process.status()["clockSkewMs"]?.integer == 0)
            }
            #expect(kms.emulator.state.signaturesRefused == 0)
            #expect(!outcome.log.contains("clock"))
        }
    }

    @Test(arguments: [("+730d", []), ("-730d", []), ("+6m", ["--no-clock-correction"])])
    func `a clock that nobody can have meant is not followed`(skew: String, arguments: [String]) async throws {
        try await EmulatedKMS.with(faults: ["skew=\(skew)"]) { (kms) async throws in
            _ = try await kms.run(arguments) { (process) async throws in
                for round in 1...2 {
                    let answer = try await process.getPublicKey()
                    #expect(answer.code == 1002)
                    #expect(answer.attempts == 1)
                    #expect(answer.kmsCode == "200")
                    #expect(answer.message.contains("clock"))
                    #expect(kms.emulator.state.total == round)
                }
                #expect(try await process.status()["clockSkewMs"]?.integer == 0)
            }
        }
    }

    @Test func `a clock that is set right again is noticed`() async throws {
        try await EmulatedKMS.with(faults: ["skew=-2h"]) { (kms) async throws in
            let outcome = try await kms.run { (process) async throws in
                #expect(try await process.getPublicKey().attempts == 2)
                kms.emulator.setFaults([])
                #expect(try await process.getPublicKey().attempts == 2)
                #expect(try await process.getPublicKey().attempts == 1)
                #expect(try await process.status()["clockSkewMs"]?.integer == 0)
            }
            #expect(kms.emulator.state.signaturesRefused == 2)
            #expect(outcome.log.contains("correct again"))
        }
    }

    @Test func `calls at once that find the same skew log it once`() async throws {
        let key = Seed.demo.keys[1].versions[0]
        let seed = Seed(keys: [Seed.Key("k", .ecdsa, [String](repeating: key.publicKey ?? "", count: 30))])
        try await EmulatedKMS.with(seed: seed, faults: ["skew=+6m"]) { kms in
            let outcome = try await kms.run(["--rate-per-key", "0"]) { process in
                for version in 1...30 {
                    try process.beginGetPublicKey(version, #"{"keyTag":"k","keyVersion":\#(version)}"#)
                }
                for _ in 1...30 { #expect(try await process.nextFaultAnswer().code == nil) }
            }
            #expect(outcome.logLines.filter { $0.contains("clock is wrong") }.count == 1)
        }
    }
}
