import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Many processes, an emulator and a real engine, in real seconds. The emulator counts, not the clients.
///
/// The bounds are for a machine that does little else: commands to the engine may take 100 ms. Each figure comes with the
/// load.
@Suite(
    .enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"),
    .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .serialized)
struct FleetSoakTests {
    /// What the service allows for one key.
    static let rate = 300
    static let keyTag = "fleet"
    /// Keys that nobody but one process asks for.
    static let quietTags = (0..<10).map { "quiet\($0)" }

    static let seed = Seed(
        keys: [Seed.Key(keyTag, .ecdsa, [String](repeating: demoKey, count: 100))]
            + quietTags.map { Seed.Key($0, .ecdsa, [demoKey]) })

    static func isClose(_ rate: Double) -> Bool { abs(rate - Double(Self.rate)) <= 5 }

    private func rounded(_ number: Double, _ factor: Double = 100) -> Double { (number * factor).rounded() / factor }

    /// They have connected to the service before: 200 handshakes at once occupy the processors, and what arrives is then
    /// how fast these are done.
    @Test func `200 processes on one key keep to its rate, and each gets its part`() async throws {
        let count = Soak.processes ?? 200
        let seconds: Int64 = 8
        let (kms, engine) = (try EmulatedKMS(seed: Self.seed), try RedisServer())
        defer { kms.emulator.stop() }
        let arrivals = ServiceArrivals(kms.emulator, Self.keyTag)
        let load = try Soak.load()
        let (start, answers, totals) = try await SoakFleet.run(
            count, ["--shared", engine.url], environment: kms.environment
        ) { processes async throws in
            try await onOwnThread {
                for (index, process) in processes.enumerated() {
                    try process.send(Lines.getPublicKey(1, Self.quietTags[index % Self.quietTags.count]))
                    _ = try SoakFleet.line(of: process)
                    // The emulator keeps fewer requests than there may be processes.
                    try arrivals.collect()
                }
            }
            let start = FleetTraffic.now
            let answers = try await onOwnThread {
                var traffic = FleetTraffic(
                    processes.map { FleetTraffic.Member(process: $0, keyTag: Self.keyTag) }, collect: arrivals.collect)
                try traffic.run { FleetTraffic.now < start + seconds * 1_000 }
                return traffic.answers
            }
            return (start, answers, try await SoakFleet.totals(processes))
        }
        let end = start + seconds * 1_000
        let rate = arrivals.rate(from: start + 1_000, to: end)
        let busiest = arrivals.busiestSecond(from: start, to: end).count
        let fairness = answers.fairness(of: 0..<count)
        let later = arrivals.busiestSecond(from: start + 1_000, to: end).count
        let name = "\(count) processes"
        try Soak.report("\(name): load before, after", "\(load), \(try Soak.load())")
        try Soak.report("\(name): requests a second after the first", rounded(rate, 10), limit: "300 ± 5")
        try Soak.report("\(name): busiest second, after the first", "\(busiest), \(later)", limit: "360")
        try Soak.report("\(name): Jain's index", rounded(fairness), limit: "≥ 0.8")
        try Soak.report("\(name): failed calls", answers.failures, limit: "[:]")
        try Soak.report("\(name): granted, without the engine", "\(totals.granted), \(totals.local)")
        try Soak.report("\(name): commands a slot", rounded(Double(totals.commands) / Double(totals.granted)))
        #expect(Self.isClose(rate))
        #expect(busiest <= 360)
        #expect(fairness >= 0.8)
        #expect(answers.failures == [:])
    }

    @Test func `four eager processes share fairly, with few questions to the engine`() async throws {
        let seconds: Int64 = 8
        let (kms, engine) = (
            try EmulatedKMS(seed: Self.seed, faults: ["delay=30"]), try RedisServer()
        )
        defer { kms.emulator.stop() }
        let arrivals = ServiceArrivals(kms.emulator, Self.keyTag)
        let load = try Soak.load()
        let (start, answers, totals) = try await SoakFleet.run(
            4, ["--shared", engine.url], environment: kms.environment
        ) { processes async throws in
            let start = FleetTraffic.now
            let answers = try await onOwnThread {
                var traffic = FleetTraffic(
                    processes.map { FleetTraffic.Member(process: $0, keyTag: Self.keyTag, inFlight: 100) },
                    collect: arrivals.collect)
                try traffic.run { FleetTraffic.now < start + seconds * 1_000 }
                return traffic.answers
            }
            return (start, answers, try await SoakFleet.totals(processes))
        }
        let end = start + seconds * 1_000
        let rate = arrivals.rate(from: start + 1_000, to: end)
        let fairness = answers.fairness(of: 0..<4)
        let perSlot = Double(totals.commands) / Double(totals.granted)
        try Soak.report("4 eager processes: load before, after", "\(load), \(try Soak.load())")
        try Soak.report("4 eager processes: requests a second", rounded(rate, 10), limit: "300 ± 5")
        try Soak.report("4 eager processes: Jain's index", rounded(fairness, 1_000), limit: "≥ 0.95")
        try Soak.report("4 eager processes: commands a slot", rounded(perSlot, 1_000), limit: "≤ 0.1")
        try Soak.report("4 eager processes: failed calls", answers.failures, limit: "[:]")
        #expect(Self.isClose(rate))
        #expect(fairness >= 0.95)
        #expect(perSlot <= 0.1)
        #expect(answers.failures == [:])
    }
}
