import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The library that moves the clock of a program.
private let faketime = ["x86_64", "aarch64"]
    .map { (machine: String) -> String in "/usr/lib/\(machine)-linux-gnu/faketime/libfaketimeMT.so.1" }
    .first { access($0, R_OK) == 0 }

/// A process whose clock is wrong, the real service's clock and a real engine's.
@Suite(
    .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"),
    .enabled(if: faketime != nil, "faketime is not installed"),
    .enabled(if: !ProcessFiles.isSanitized, "a sanitizer must be loaded before faketime"), .timeLimit(.minutes(5)))
struct SharedClockTests {
    @Test(arguments: ["+6m", "-6m"])
    func `keys are shared once the service has told the time`(clock: String) async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        let arguments = ["--shared", engine.url, "--shared-keys", "on"] + Fleet.patient
        try await Fleet.run(1, arguments, environment: kms.environment) { right async throws in
            for key in ["demo-rsa", "demo-ec"] { #expect(try await right[0].key(key).source == "kms") }
            _ = try await right[0].sharedStatus(stored: 2)
        }
        var environment = kms.environment
        environment["LD_PRELOAD"] = faketime
        environment["FAKETIME"] = clock
        environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        let run = try await ServiceProcess.run(arguments: arguments, environment: environment) { wrong async throws in
            // An age can't be told by a clock that does not agree with the engine's.
            let first = try await wrong.key("demo-rsa")
            #expect(first.source == "kms")
            #expect(first.value["attempts"]?.integer == 2)
            let second = try await wrong.key("demo-ec")
            #expect(second.source == "shared")
            #expect(second.ageMilliseconds.map { (0..<60_000).contains($0) } == true)
            #expect(try await wrong.sharedStatus()["state"]?.string == "connected")
            #expect(try await wrong.sharedStatus()["budget"]?["local"]?.integer == 0)
        }
        #expect(kms.emulator.state.perKey == ["demo-rsa": 3, "demo-ec": 1])
        let lines = run.logLines.filter { $0.contains("no shared key is used") }
        #expect(lines.count == 1, "\(run.log)")
    }
}
