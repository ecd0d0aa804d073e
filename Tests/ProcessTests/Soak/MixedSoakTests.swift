import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import NCloudKMS
import Testing

/// Mixed calls with 5 % faults, connection recycling, rotated credentials and restarts of the service.
@Suite(.enabled(if: Soak.isOn, "make soak sets NCLOUD_KMS_SOAK")) struct MixedSoakTests {
    /// 5 % in all.
    private static let faults = [
        "status=503,code=500,rate=0.01", "reset,rate=0.01", "truncate,rate=0.01", "html,rate=0.01",
        "code=410,rate=0.01", "close-every=200",
    ]
    /// The allocator keeps some of what the largest bursts needed, and bursts differ; a leak of 100 bytes a call would
    /// be more in half a minute.
    private static let toleratedKiB = 4_096
    /// The connections that are kept for the next call, and the pair that wakes libcurl, which may be two sockets.
    private static let mostSockets = KMSClientConfiguration.defaultMaximumConnections + 2
    private static let rotationInterval = Duration.seconds(7)
    private static let restartInterval = Duration.seconds(25)
    private static let downtime = Duration.seconds(1)

    private static func accessKey(_ number: Int) -> Seed.AccessKey {
        Seed.AccessKey(
            id: "SOAKACCESSKEY\(1_000_000 + number)", secret: "a-secret-of-the-soak-\(number)-that-is-rotated")
    }

    private static func profile(_ key: Seed.AccessKey) -> String {
        "[DEFAULT]\nncloud_access_key_id = \(key.id)\nncloud_secret_access_key = \(key.secret)\n"
    }

    private struct Size {
        var residentKiB: Int
        var sockets: Int
        var otherDescriptors: Int

        init(_ processID: CInt) throws {
            let files = ProcessFiles(processID: processID)
            residentKiB = Int((try files.status()["VmRSS"] ?? "").prefix { $0.isNumber }) ?? 0
            let descriptors = try files.descriptors()
            sockets = descriptors.values.count { $0.hasPrefix("socket:") }
            otherDescriptors = descriptors.count - sockets
        }
    }

    @Test func `every request has one answer, and neither memory nor descriptors grow`() async throws {
        let folder = try TemporaryDirectory()
        let profile = try folder.write("configure", Self.profile(Self.accessKey(0)).utf8)
        let kms = try RestartingKMS(
            Emulator.Configuration(
                seed: SoakTraffic.seed(accessKey: Self.accessKey(0)), latency: .milliseconds(1),
                jitter: .milliseconds(5), faults: try Self.faults.map(Fault.init(parsing:))))
        let total = Duration.seconds(60 * Soak.minutes)
        let first = min(.seconds(60), total / 3)
        let ledger = SoakLedger()

        let outcome = try await ServiceProcess.run(
            arguments: ["--log-level", "error", "--allow-debug", "--cache-ttl", "2"],
            environment: ["NCLOUD_KMS_ENDPOINT": kms.endpoint, "NCLOUD_CONFIG_FILE": profile]
        ) { process in
            let reader = Task {
                while let line = await process.nextLine() { ledger.take(line) }
            }
            let trouble = Task { try await Self.makeTrouble(kms, folder) }
            var sizes: [Size] = []
            for (number, duration) in [first, total - first].enumerated() {
                let traffic = SoakTraffic(process, ledger: ledger, seed: UInt64(number))
                try await onOwnThread {
                    var traffic = traffic
                    try traffic.run(for: duration)
                }
                sizes.append(try Size(process.processID))
            }
            trouble.cancel()
            let (rotations, restarts) = try await trouble.value
            process.closeInput()
            await reader.value
            try Self.report(ledger, rotations: rotations, restarts: restarts)
            return sizes
        }
        #expect(outcome.status == 0)
        #expect(ledger.violations == [])
        #expect(ledger.waiting == 0)
        #expect(ledger.outcomes.values.reduce(0, +) == ledger.sent)
        // Most calls succeed, whatever is thrown at them.
        #expect(ledger.outcomes["0"] ?? 0 > ledger.sent * 3 / 4)

        let (before, after) = (outcome.result[0], outcome.result[1])
        try Soak.report(
            "mixed: RSS after the first minute, at the end", "\(before.residentKiB), \(after.residentKiB) KiB",
            limit: "+ \(Self.toleratedKiB) KiB")
        try Soak.report(
            "mixed: descriptors then and at the end, sockets",
            "\(before.otherDescriptors)+\(before.sockets), \(after.otherDescriptors)+\(after.sockets)",
            limit: "equal; \(Self.mostSockets) sockets")
        #expect(after.residentKiB <= before.residentKiB + Self.toleratedKiB || ProcessFiles.isSanitized)
        #expect(after.otherDescriptors == before.otherDescriptors)
        #expect(after.sockets <= Self.mostSockets)
    }

    /// Rotates the credentials and restarts the service until it is cancelled.
    private static func makeTrouble(
        _ kms: RestartingKMS, _ folder: TemporaryDirectory
    ) async throws -> (rotations: Int, restarts: Int) {
        let clock = SystemClock()
        var (rotations, restarts) = (0, 0)
        var (nextRotation, nextRestart) = (clock.now + rotationInterval, clock.now + restartInterval)
        while !Task.isCancelled {
            try await Soak.sleep(.milliseconds(100))
            if clock.now >= nextRotation {
                rotations += 1
                nextRotation = nextRotation + rotationInterval
                let key = accessKey(rotations)
                // As a careful tool does it: the file is whole at any time. The old keys are refused from here on.
                let new = try folder.write("new", profile(key).utf8)
                guard rename(new, "\(folder.path)/configure") == 0 else { throw PlatformError("rename") }
                kms.setSeed(SoakTraffic.seed(accessKey: key))
            }
            if clock.now >= nextRestart {
                restarts += 1
                nextRestart = nextRestart + restartInterval
                kms.stop()
                try await Soak.sleep(downtime)
                try kms.start()
            }
        }
        return (rotations, restarts)
    }

    private static func report(_ ledger: SoakLedger, rotations: Int, restarts: Int) throws {
        let outcomes = ledger.outcomes.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        try Soak.report("mixed: minutes, requests", "\(Soak.minutes), \(ledger.sent)")
        try Soak.report("mixed: rotations of credentials, restarts", "\(rotations), \(restarts)")
        try Soak.report("mixed: answers by code (0 is a result)", outcomes.joined(separator: ", "))
        try Soak.report("mixed: wrong, missing or second answers", ledger.violations.count + ledger.waiting, limit: "0")
    }
}
