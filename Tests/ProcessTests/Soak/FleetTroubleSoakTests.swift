import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// What may happen to the engine of a fleet that is at its limit.
///
/// Beside the fleet, a few processes make a call every 2.2 s, each for a key that nobody else needs. Such a call never has to
/// wait for a slot, so if it takes long, it has waited for the engine.
@Suite(
    .enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"),
    .enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"))
struct FleetTroubleSoakTests {
    private struct Trouble: Sendable {
        let name: String
        /// How long it lasts.
        var duration = Duration.zero
        /// What is allowed in a second, from its begin until long after its end.
        var busiest = 500
        /// From its end until the fleet has its whole rate again, in milliseconds.
        var back: Int64 = 5_000
        let begin: @Sendable (RedisServer) throws -> Void
        var end: @Sendable (RedisServer) throws -> Void = { _ in }
    }

    /// In milliseconds.
    private static let longestCall: Int64 = 150
    /// A process gets a slot of its safe share at once if it has been quiet for a second and an interval, which is at most
    /// a second.
    private static let pause: Int64 = 2_200
    /// For which the whole rate is then measured, in milliseconds.
    private static let observation: Int64 = 5_000

    private static let troubles = [
        Trouble(name: "stopped for 4 s", duration: .seconds(4), begin: { $0.pause() }, end: { $0.resume() }),
        Trouble(
            name: "killed, empty after 4 s", duration: .seconds(4), begin: { $0.kill() }, end: { try $0.restart() }),
        Trouble(name: "flushed", busiest: 630, begin: { try $0.command("FLUSHALL") }),
        Trouble(name: "scripts flushed", begin: { try $0.command("SCRIPT", "FLUSH") }),
    ]

    private static let password = Trouble(
        name: "password for 4 s", duration: .seconds(4),
        begin: { engine in
            try engine.command("CONFIG", "SET", "requirepass", "other")
            // Who is connected has logged in.
            try engine.command(asAdministrator + ["CLIENT", "KILL", "TYPE", "normal"])
        },
        end: { try $0.command(asAdministrator + ["CONFIG", "SET", "requirepass", ""]) })
    private static let asAdministrator = ["--no-auth-warning", "-a", "other"]

    /// What a step of the engine's clock leaves: times of another hour. libfaketime, which could make the step itself, does not
    /// work with Redis' allocator.
    private static let clockSteps = [3_600, -3_600].map { seconds in
        Trouble(
            name: "clock \(seconds < 0 ? "ahead" : "back") by 1 h", busiest: 630,
            begin: { engine in
                let script = """
                    local all = redis.call('KEYS', 'nkms:1:b:*')
                    for _, name in ipairs(all) do redis.call('HINCRBY', name, 'tat', \(seconds)000000) end
                    return #all
                    """
                let changed = try engine.command("EVAL", script, "0")
                #expect(changed != "0")
            })
    }

    @Test func `whatever happens to the engine, no call fails or waits for it, and the service is not overrun`()
        async throws
    {
        let count = Soak.processes ?? 200
        let troubles = Self.troubles + Self.clockSteps + [Self.password]
        let kms = try EmulatedKMS(seed: FleetSoakTests.seed)
        defer { kms.emulator.stop() }
        let engine = try RedisServer()
        let arrivals = ServiceArrivals(kms.emulator, FleetSoakTests.keyTag)
        let tags = FleetSoakTests.quietTags
        try await SoakFleet.run(
            count + tags.count, ["--shared", engine.url], environment: kms.environment
        ) { processes async throws in
            let fleet = processes.prefix(count).map { FleetTraffic.Member(process: $0, keyTag: FleetSoakTests.keyTag) }
            let quiet = zip(processes.dropFirst(count), tags).map {
                FleetTraffic.Member(process: $0, keyTag: $1, pause: Self.pause)
            }
            let isOn = Lock(true)
            let traffic = Task {
                try await onOwnThread {
                    var traffic = FleetTraffic(fleet + quiet, collect: arrivals.collect)
                    try traffic.run { isOn.withLock { $0 } }
                    return traffic.answers
                }
            }
            let times = try await Self.cause(troubles, engine)
            isOn.withLock { $0 = false }
            let answers = try await traffic.value
            for (trouble, time) in zip(troubles, times) {
                try Self.check(trouble, time, arrivals, answers, quiet: count..<count + tags.count)
            }
            try Soak.report("engine in trouble: calls, failed", "\(answers.count), \(answers.failures)", limit: "[:]")
            #expect(answers.failures == [:])
        }
    }

    private typealias Times = (begin: Int64, end: Int64)

    /// - Returns: when each began and ended.
    private static func cause(_ troubles: [Trouble], _ engine: RedisServer) async throws -> [Times] {
        // Until every process has been granted as much as it will be, of which its safe share is a part.
        try await Soak.sleep(.seconds(10))
        var times: [Times] = []
        for trouble in troubles {
            try Soak.report("engine \(trouble.name): load", try Soak.load())
            let begin = FleetTraffic.now
            try trouble.begin(engine)
            try await Soak.sleep(trouble.duration)
            try trouble.end(engine)
            times.append((begin, FleetTraffic.now))
            try await Soak.sleep(.milliseconds(trouble.back + observation))
        }
        return times
    }

    private static func check(
        _ trouble: Trouble, _ time: Times, _ arrivals: ServiceArrivals, _ answers: [FleetTraffic.Answer],
        quiet: Range<Int>
    ) throws {
        let (back, end) = (time.end + trouble.back, time.end + trouble.back + observation)
        let (busiest, second) = arrivals.busiestSecond(from: time.begin, to: end)
        let slowest = answers.slowest(of: quiet, from: time.begin, to: end)
        let during = arrivals.rate(from: time.begin, to: max(time.end, time.begin + 1_000))
        let after = arrivals.rate(from: back, to: end)
        // Almost all: the requests of a second do not fall into it exactly.
        let whole = arrivals.firstSecond(of: FleetSoakTests.rate - 10, from: time.end, to: end)
        let name = "engine \(trouble.name)"
        try Soak.report(
            "\(name): busiest second, from its begin", "\(busiest), \(second - time.begin) ms",
            limit: "\(trouble.busiest)")
        try Soak.report("\(name): requests a second meanwhile", Int(during))
        try Soak.report("\(name): slowest quiet call", "\(slowest) ms", limit: "\(longestCall) ms")
        try Soak.report(
            "\(name): back after", whole.map { "\($0 - time.end) ms" } ?? "never", limit: "\(trouble.back) ms")
        try Soak.report("\(name): requests a second then", Int(after.rounded()), limit: "300 ± 5")
        #expect(busiest <= trouble.busiest, "\(name)")
        #expect(slowest <= longestCall, "\(name)")
        #expect(whole.map { $0 <= back } == true, "\(name)")
        #expect(FleetSoakTests.isClose(after), "\(name): \(after)")
    }
}
