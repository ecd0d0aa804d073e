import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Outages and throttling, in real seconds. `make test` has the same rules on injected clocks.
@Suite(.enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK"), .serialized) struct AcceptanceSoakTests {
    private let clock = SystemClock()

    /// Asks at a steady pace for some time.
    ///
    /// - Returns: the answers, in the order in which they came.
    private func ask(
        _ process: ServiceProcess, _ count: Int, within duration: Duration, params: @escaping @Sendable (Int) -> String
    ) async throws -> [FaultAnswer] {
        let start = clock.now
        let writer = Task {
            try await onOwnThread {
                for number in 0..<count {
                    let due = start + .nanoseconds(duration.nanoseconds / Int64(count) * Int64(number))
                    let wait = due - SystemClock().now
                    if wait > .zero { usleep(UInt32(wait.nanoseconds / 1_000)) }
                    try process.beginGetPublicKey(number, params(number))
                }
            }
        }
        let answers = try await process.nextFaultAnswers(count)
        try await writer.value
        return answers
    }

    // MARK: Recycled connections

    @Test func `100,000 requests at 32 in parallel do not fail if the service closes after every 200th`()
        async throws
    {
        let count = 100_000
        try await EmulatedKMS.with(seed: RecycledConnections.seed, faults: ["close-every=200"]) { kms in
            _ = try await kms.run(RecycledConnections.arguments) { process in
                let start = clock.now
                let failures = try await RecycledConnections.failures(of: count, process)
                let upstream = try await process.status()["upstream"]
                let attempts = upstream?["failures"]?.integer ?? -1
                try Soak.report("recycled: calls, requests", "\(count), \(kms.emulator.state.total)", limit: "equal")
                try Soak.report("recycled: seconds", (clock.now - start).components.seconds)
                try Soak.report(
                    "recycled: connections, open at the end",
                    "\(kms.emulator.state.openedConnections), \(kms.emulator.state.openConnections)", limit: "32")
                try Soak.report("recycled: failed calls, failed attempts", "\(failures), \(attempts)", limit: "0, 0")
                #expect(failures == 0)
                #expect(attempts == 0)
            }
            #expect(kms.emulator.state.total >= count)
            #expect(kms.emulator.state.perConnection.allSatisfy { $0 <= 200 })
        }
    }

    // MARK: An outage

    @Test func `an outage of 30 s is bridged by stale answers, or told with few requests, and then over`() async throws
    {
        let outage = Duration.seconds(30)
        let perSecond = 20
        let kms = try RestartingKMS(Emulator.Configuration())
        let params: @Sendable (Int) -> String = { _ in #"{"keyTag":"demo-ec"}"# }
        let back = Lock<Instant?>(nil)
        // A warm cache that expires before the outage; the rest of its life is stale.
        let bridged = Task {
            try await ServiceProcess.run(
                endpoint: kms.endpoint, arguments: ["--cache-ttl", "1", "--stale-if-error", "600"]
            ) { process in
                _ = try await process.getPublicKey(params(0))
                try await Soak.sleep(.seconds(3))
                let during = try await ask(process, 25 * perSecond, within: .seconds(25), params: params)
                try await Soak.sleep(.seconds(10))
                return (during, try await process.getPublicKey(params(0)))
            }.result
        }
        let told = Task {
            try await ServiceProcess.run(endpoint: kms.endpoint, arguments: ["--cache-ttl", "0"]) { process in
                _ = try await process.getPublicKey(params(0))
                try await Soak.sleep(.seconds(3))
                // Different keys, so that none is joined.
                let during = try await ask(process, 25 * perSecond, within: .seconds(25)) { #"{"keyTag":"k\#($0)"}"# }
                let spent = try await process.status()["retryQuota"]?["available"]?.integer ?? -1
                while back.withLock({ $0 }) == nil { try await Soak.sleep(.milliseconds(10)) }
                let end = clock.now
                var recovered: Duration?
                // At most until everything must be as it was.
                while clock.now - end < .seconds(60) {
                    let answer = try await process.getPublicKey(params(0))
                    if answer.code == nil, recovered == nil { recovered = clock.now - end }
                    let quota = try await process.status()["retryQuota"]?["available"]?.integer
                    if quota == 500 { break }
                    try await Soak.sleep(.milliseconds(50))
                }
                return (during, spent, recovered, clock.now - end)
            }.result
        }
        try await Soak.sleep(.seconds(2))
        kms.stop()
        try await Soak.sleep(outage)
        try kms.start()
        back.withLock { $0 = clock.now }

        let (stale, after) = try await bridged.value
        #expect(stale.allSatisfy { $0.source == "stale" })
        #expect(after.source == "kms")
        try Soak.report(
            "outage, stale-if-error: calls, stale answers", "\(stale.count), \(stale.count { $0.source == "stale" })",
            limit: "equal")

        let (failed, quota, recovered, full) = try await told.value
        #expect(failed.allSatisfy { $0.code == 1008 && (1...3).contains($0.attempts ?? 0) })
        #expect(failed.first?.attempts == 3)
        // In the last half the quota is spent: what it refills is all that is repeated.
        let late = failed.suffix(failed.count / 2)
        let repeats = late.reduce(0) { $0 + ($1.attempts ?? 0) - 1 }
        #expect(late.contains { $0.reason == "quota" && $0.attempts == 1 })
        #expect(Double(repeats) <= 12.5 * 10 / 14 + 2)
        try Soak.report(
            "outage: calls, 1008, most attempts",
            "\(failed.count), \(failed.count { $0.code == 1008 }), \(failed.map { $0.attempts ?? 0 }.max() ?? 0)",
            limit: "equal, 3")
        try Soak.report("outage: repeats in the last 12.5 s, quota then", "\(repeats), \(quota)", limit: "10")
        try Soak.report(
            "outage: first success when it is over, after",
            recovered.map { "\($0.milliseconds) ms" } ?? "none", limit: "seconds")
        try Soak.report("outage: quota of 500 again after", "\(full.milliseconds) ms", limit: "60 s")
        #expect(recovered.map { $0 < .seconds(5) } == true)
        #expect(full < .seconds(60))
    }

    // MARK: Throttling

    @Test func `a service that throttles at 50 a second answers a thousand calls in time, and is not overrun`()
        async throws
    {
        let seed = Seed(keys: [Seed.Key("k", .ecdsa, [String](repeating: demoKey, count: 100))])
        let settled = Duration.seconds(5)
        let kms = try RestartingKMS(Emulator.Configuration(seed: seed, throttlePerSecond: 50))
        let emulator = kms.emulator
        let version: @Sendable (Int) -> String = {
            #"{"keyTag":"k","keyVersion":\#($0 % 100 + 1),"maxAgeMs":0}"#
        }
        _ = try await ServiceProcess.run(endpoint: kms.endpoint) { process in
            let start = clock.now
            let sample = Task {
                try await Soak.sleep(settled)
                return emulator.state.total
            }
            let answers = try await ask(process, 1_000, within: .seconds(5), params: version)
            let end = clock.now
            let late = emulator.state.total - (try await sample.value)
            let seconds = max(Double((end - start - settled).nanoseconds) / 1e9, 1)
            try Soak.report(
                "throttled: calls, failed", "\(answers.count), \(answers.count { $0.code != nil })", limit: "0 failed")
            try Soak.report(
                "throttled: seconds to the last answer", Double((end - start).milliseconds) / 1_000, limit: "35")
            try Soak.report(
                "throttled: requests, of them throttled", "\(emulator.state.total), \(emulator.state.throttled)")
            try Soak.report(
                "throttled: requests a second after 5 s", (Double(late) / seconds * 10).rounded() / 10, limit: "60")
            #expect(answers.allSatisfy { $0.code == nil })
            #expect(Double(late) / seconds <= 60)

            emulator.setThrottle(requestsPerSecond: nil)
            try await Soak.sleep(.seconds(11))
            // Three times each version, one after the other, so that none is joined: 300 a second, and a burst of 30.
            let before = clock.now
            for _ in 0..<3 {
                for number in 0..<100 { try process.beginGetPublicKey(number, version(number)) }
                #expect(try await process.nextFaultAnswers(100).allSatisfy { $0.code == nil })
            }
            let rate = 300 / (Double((clock.now - before).nanoseconds) / 1e9)
            try Soak.report("throttled: requests a second when it is lifted", Int(rate), limit: "> 200")
            #expect(rate > 200)
        }
    }
}
