import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// What others can see of a process that shares, and what sharing costs.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedSecrecyTests {
    @Test func `no secret and no key tag is in the engine, the log, the status or the command line`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer(["--requirepass", "hidden-password"]))
        let monitor = try ChildProcess(
            "/usr/bin/redis-cli", ["-s", engine.socket, "-a", "hidden-password", "--no-auth-warning", "monitor"])
        _ = try monitor.waitForLine(containing: "OK")
        let folder = try TemporaryDirectory()
        let mac = "hidden-mac-secret-of-more-than-32-bytes"
        try folder.write(mac, to: "mac")
        try folder.write("hidden-password\n", to: "password")
        let arguments =
            ["--shared", engine.url, "--shared-keys", "on", "--shared-mac-file", folder.path("mac")]
            + ["--shared-password-file", folder.path("password"), "--log-level", "trace"] + Fleet.patient
        let secrets = ["hidden-password", mac, Seed.AccessKey.demo.secret]
        let run = try await ServiceProcess.run(arguments: arguments, environment: kms.environment) {
            process async throws in
            #expect(try await process.key().source == "kms")
            let status = try await process.sharedStatus(stored: 1)
            #expect(status["state"]?.string == "connected")
            let line = try contents(of: "/proc/\(process.processID)/cmdline")
            for secret in secrets + ["demo-rsa"] {
                #expect(!String(decoding: status.bytes, as: UTF8.self).contains(secret))
                #expect(!line.contains(secret))
            }
        }
        for secret in secrets { #expect(!run.log.contains(secret)) }
        // A command after everything that the process has sent.
        try ChildProcess.run(
            "/usr/bin/redis-cli",
            ["-s", engine.socket, "-a", "hidden-password", "--no-auth-warning", "echo", "the-end"])
        _ = try monitor.waitForLine(containing: "the-end")
        monitor.signal(SIGTERM)
        let seen = monitor.output
        #expect(seen.contains("nkms:1:b:{"))
        #expect(seen.contains("nkms:1:k:{"))
        for secret in secrets + ["demo-rsa", Seed.AccessKey.demo.id] { #expect(!seen.contains(secret)) }
    }

    @Test func `sharing takes one descriptor and no thread, and nothing before the first fetch`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        var descriptors: [String: [Int]] = [:]
        var threads: [String: [Int]] = [:]
        for shared in ["off", "on"] {
            let arguments = shared == "off" ? [] : ["--shared", engine.url, "--shared-keys", "on"] + Fleet.patient
            try await Fleet.run(1, arguments, environment: kms.environment) { members async throws in
                let files = ProcessFiles(processID: members[0].processID)
                _ = try await members[0].ask(Lines.request(1, "getStatus"))
                descriptors[shared, default: []].append(try files.descriptors().count)
                _ = try await members[0].key()
                descriptors[shared, default: []].append(try files.descriptors().count)
                threads[shared, default: []].append(try files.threads().count)
            }
        }
        let (off, on) = (try #require(descriptors["off"]), try #require(descriptors["on"]))
        #expect(on[0] == off[0])
        #expect(on[1] == off[1] + 1)
        #expect(threads["on"] == threads["off"])
    }
}
