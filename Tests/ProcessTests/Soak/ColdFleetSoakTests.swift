import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Many processes that all need one key at once, and have none.
@Suite(
    .enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"),
    .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .serialized)
struct ColdFleetSoakTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        var faults: [String] = []
        /// Whether the first process, which asks before the others, is killed while it waits for the service.
        var losesLeader = false
        /// Requests to the service.
        let limit: Int

        var testDescription: String { name }
    }

    private static let cases = [
        Case(name: "cold", limit: 3),
        Case(name: "leader killed", faults: ["hang,count=1"], losesLeader: true, limit: 4),
        Case(name: "service slow by 5 s", faults: ["delay=5000"], limit: 3),
    ]

    /// The goals are for 1,000 processes of the release build, which `NCLOUD_KMS_SOAK_PROGRAM` and
    /// `NCLOUD_KMS_SOAK_PROCESSES` ask for. So many of a debug build take longer to start than the engine is waited for.
    @Test(arguments: cases) func `processes that need one key make a few requests`(_ row: Case) async throws {
        let count = Soak.processes ?? 100
        let (kms, engine) = (try EmulatedKMS(faults: row.faults), try RedisServer())
        defer { kms.emulator.stop() }
        let load = try Soak.load()
        let (sources, seconds, losses) = try await SoakFleet.run(
            count, ["--shared", engine.url, "--shared-keys", "on"], environment: kms.environment
        ) { processes async throws in
            let start = FleetTraffic.now
            if row.losesLeader {
                try processes[0].send(Lines.getPublicKey(1))
                try await kms.waitForRequests("demo-rsa", 1)
            }
            let others = row.losesLeader ? Array(processes.dropFirst()) : processes
            for process in others { try process.send(Lines.getPublicKey(1)) }
            if row.losesLeader {
                try await Soak.sleep(.milliseconds(250))
                processes[0].signal(SIGKILL)
            }
            let sources = try await onOwnThread {
                try others.map { process in
                    let answer = try SoakFleet.line(of: process)
                    return answer["result"]?["source"]?.string ?? "\(answer["error"]?["code"]?.integer ?? 0)"
                }
            }
            let seconds = Double(FleetTraffic.now - start) / 1_000
            return (sources, seconds, try await SoakFleet.losses(others))
        }
        let counts = sources.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        let name = "\(count) processes, \(row.name)"
        try Soak.report("\(name): load before, after", "\(load), \(try Soak.load())")
        try Soak.report("\(name): requests", kms.emulator.state.total, limit: "≤ \(row.limit)")
        try Soak.report("\(name): answers by source, seconds", "\(counts), \(seconds)", limit: "kms, shared")
        try Soak.report("\(name): losses of the engine", "\(losses)")
        #expect(!losses.keys.contains { $0.contains("backlog") })
        #expect(kms.emulator.state.total <= row.limit)
        #expect(counts.keys.allSatisfy { $0 == "kms" || $0 == "shared" }, "\(counts)")
    }
}
