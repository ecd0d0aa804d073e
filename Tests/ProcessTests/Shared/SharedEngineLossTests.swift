import Foundation
import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Real processes, an emulator and a real engine: no call fails because of the engine.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedEngineLossTests {
    private func arguments(_ engine: RedisServer, _ more: String...) -> [String] {
        ["--shared", engine.url, "--shared-keys", "on"] + more
    }

    @Test func `a stopped engine is waited for once, and used again when it goes on`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        let run = try await ServiceProcess.run(arguments: arguments(engine), environment: kms.environment) {
            process async throws in
            try await process.callUntilConnected()
            engine.pause()
            // A call that waited for the engine would fail at its deadline.
            for _ in 0..<5 { #expect(try await process.key("demo-ec", #","maxAgeMs":0"#).source == "kms") }
            let status = try await process.sharedStatus()
            #expect(status["state"]?.string == "degraded")
            #expect(status["lastError"]?.string?.hasPrefix(engine.url) == true, "\(status["lastError"]?.string ?? "")")
            #expect(try #require(status["budget"]?["local"]?.integer) >= 5)
            engine.resume()
            try await process.callUntilConnected()
        }
        #expect(run.status == 0)
        #expect(run.log.contains("the shared engine"), "\(run.log)")
    }

    @Test func `an engine that comes back empty is filled again`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        let patient = arguments(engine) + Fleet.patient
        try await Fleet.run(2, patient, environment: kms.environment) { members async throws in
            #expect(try await members[0].key().source == "kms")
            #expect(try await members[1].key().source == "shared")
            engine.kill()
            for member in members { #expect(try await member.key("demo-ec").source == "kms") }
            #expect(try await members[0].sharedStatus()["state"]?.string == "degraded")
            try engine.restart()
            #expect(try engine.command("DBSIZE") == "0")
            try await members[0].callUntilConnected()
            // The last call may have gone without the engine, while it was connected to.
            #expect(try await members[0].key("demo-rsa", #","maxAgeMs":0"#).source == "kms")
            #expect(try engine.command("DBSIZE") != "0")
            // What it stores now serves a process that never saw the first engine.
            #expect(try await members[0].key("demo-rsa", #","keyVersion":1"#).source == "kms")
            try await Fleet.run(1, patient, environment: kms.environment) { late async throws in
                #expect(try await late[0].key("demo-rsa", #","keyVersion":1"#).source == "shared")
            }
        }
    }

    @Test func `neither lost entries nor lost scripts are a loss of the engine`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer())
        try await Fleet.run(1, arguments(engine) + Fleet.patient, environment: kms.environment) {
            members async throws in
            #expect(try await members[0].key().source == "kms")
            try engine.command("FLUSHALL")
            try engine.command("SCRIPT", "FLUSH")
            for version in [1, 3] {
                #expect(try await members[0].key("demo-rsa", #","keyVersion":\#(version)"#).source == "kms")
            }
            let status = try await members[0].sharedStatus(stored: 3)
            #expect(status["state"]?.string == "connected")
            #expect(status["lastError"]?.isNull == true)
        }
    }

    @Test func `a server that is neither Redis nor Valkey never counts as connected`() async throws {
        let kms = try EmulatedKMS()
        let web = try RawResponder { connection in
            try connection.send(RawResponder.answer("400 Bad Request", body: ""))
        }
        defer { web.stop() }
        let url = "redis://127.0.0.1:\(web.port)"
        let run = try await ServiceProcess.run(
            arguments: ["--shared", url, "--shared-keys", "on"] + Fleet.patient, environment: kms.environment
        ) { process async throws in
            for _ in 0..<3 {
                #expect(try await process.key("demo-rsa", #","maxAgeMs":0"#).source == "kms")
                #expect(try await process.sharedStatus()["state"]?.string != "connected")
            }
            let status = try await process.sharedStatus()
            #expect(status["state"]?.string == "degraded")
            #expect(status["lastError"]?.string == "what answers at \(url) is neither Redis nor Valkey")
        }
        #expect(run.status == 0)
    }

    /// The delay of every command, in milliseconds, and why the engine is not used.
    @Test(arguments: [(50, nil), (150, "took longer than"), (2_000, "took longer than 1000 ms to connect and answer")])
    func `a slow engine is used if it is fast enough, and fails no call`(delay: Int, loss: String?) async throws {
        let (kms, engine, folder) = (try EmulatedKMS(), try RedisServer(), try TemporaryDirectory())
        let script = OutsidePackage.checkout.appending(path: "Tests/ProcessTests/Fixtures/slow-engine.py").path
        let proxy = try ChildProcess(
            "/usr/bin/env", ["python3", script, folder.path("slow.sock"), engine.socket, "\(delay)"])
        defer { proxy.signal(SIGKILL) }
        _ = try proxy.waitForLine(containing: "ready")
        let arguments = ["--shared", "unix://\(folder.path("slow.sock"))", "--shared-keys", "on"]
        let run = try await ServiceProcess.run(
            arguments: arguments + (loss == nil ? Fleet.patient : []), environment: kms.environment
        ) { process async throws in
            for version in [1, 3] {
                #expect(try await process.key("demo-rsa", #","keyVersion":\#(version)"#).source == "kms")
            }
            guard let loss else {
                #expect(try await process.sharedStatus(stored: 2)["state"]?.string == "connected")
                return
            }
            // The first answers may take as long as connecting.
            let status = try await process.sharedStatus(calling: true) { $0["state"]?.string == "degraded" }
            #expect(status["lastError"]?.string?.contains(loss) == true)
        }
        #expect(run.status == 0)
        if loss == nil { #expect(try engine.command("DBSIZE") == "3") }
    }

    @Test(arguments: [
        (["--requirepass", "right"], "the password; correct --shared-user or NCLOUD_KMS_SHARED_PASSWORD"),
        // It says so and closes the connection, which may be seen first.
        (["--maxclients", "1"], ""),
        (["--cluster-enabled", "yes"], "CLUSTERDOWN"),
    ])
    func `an engine that refuses stops nothing, and the log says why, once`(
        options: [String], reason: String
    ) async throws {
        // A member of a cluster also listens on a port.
        let port = options[0] == "--cluster-enabled" ? ["--cluster-port", "\(try Nginx.freePort())"] : []
        let (kms, engine) = (try EmulatedKMS(), try RedisServer(options + port))
        let other = options[0] == "--maxclients" ? try RawConnectionHolder(engine.socket) : nil
        defer { other?.close() }
        var environment = kms.environment
        if options[0] == "--requirepass" { environment["NCLOUD_KMS_SHARED_PASSWORD"] = "hidden-wrong" }
        let run = try await ServiceProcess.run(
            arguments: arguments(engine) + Fleet.patient, environment: environment
        ) { process async throws in
            for version in [1, 3] {
                #expect(try await process.key("demo-rsa", #","keyVersion":\#(version)"#).source == "kms")
            }
            let status = try await process.sharedStatus()
            #expect(status["state"]?.string == "degraded")
            #expect(
                status["lastError"]?.string.map { reason.isEmpty || $0.contains(reason) } == true,
                "\(status["lastError"]?.string ?? "")")
            #expect(!String(decoding: status.bytes, as: UTF8.self).contains("hidden-wrong"))
        }
        #expect(run.status == 0)
        let lines = run.logLines.filter { $0.contains("the shared engine") }
        #expect(lines.count == 1, "\(run.log)")
        #expect(!run.log.contains("hidden-wrong"))
    }
}

/// A connection to an engine that does nothing, so that there is one less for others.
private struct RawConnectionHolder {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw PlatformError("connect \(path)") }
    }

    func close() { _ = KMSPlatform.close(descriptor) }
}
