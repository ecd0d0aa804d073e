import KMSEmulator
import KMSJSON
import KMSTestSupport
import Testing

/// Real processes and a real engine with a password.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct SharedPasswordTests {
    /// Runs commands with a password, each on a connection of its own.
    private func command(_ engine: RedisServer, password: String, _ words: String...) throws {
        try ChildProcess.run(
            "/usr/bin/redis-cli", ["-e", "-s", engine.socket, "-a", password, "--no-auth-warning"] + words)
    }

    private func arguments(_ engine: RedisServer, _ folder: TemporaryDirectory) -> [String] {
        ["--shared", engine.url, "--shared-keys", "on", "--shared-password-file", folder.path("password")]
            + Fleet.patient
    }

    @Test func `a password that is rotated is read again, whichever side changes first`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer(["--requirepass", "hidden-1"]))
        let folder = try TemporaryDirectory()
        try folder.write("hidden-1\n", to: "password")
        let run = try await ServiceProcess.run(arguments: arguments(engine, folder), environment: kms.environment) {
            process async throws in
            #expect(try await process.key().source == "kms")
            #expect(try await process.sharedStatus(stored: 1)["state"]?.string == "connected")

            // The engine first. A connection that has logged in stays, so it is closed.
            try command(engine, password: "hidden-1", "CONFIG", "SET", "requirepass", "hidden-2")
            try command(engine, password: "hidden-2", "CLIENT", "KILL", "TYPE", "normal")
            let status = try await process.sharedStatus(calling: true) {
                $0["lastError"]?.string?.contains("refuses") == true
            }
            #expect(status["state"]?.string == "degraded")
            try folder.write("hidden-2\n", to: "password")
            try await process.callUntilConnected()
            // And it shares: another process finds the key of this one.
            #expect(try await process.key("demo-ec").source == "kms")
            _ = try await process.sharedStatus(stored: 3)
            try await Fleet.run(1, arguments(engine, folder), environment: kms.environment) { other async throws in
                #expect(try await other[0].key("demo-ec").source == "shared")
            }

            // The file first.
            try folder.write("hidden-3\n", to: "password")
            try command(engine, password: "hidden-2", "CONFIG", "SET", "requirepass", "hidden-3")
            try command(engine, password: "hidden-3", "CLIENT", "KILL", "TYPE", "normal")
            try await process.callUntilConnected()
        }
        #expect(run.status == 0)
        #expect(!run.log.contains("hidden"))
    }

    @Test func `a wrong password fails no call, and the log names the flag and no secret`() async throws {
        let (kms, engine) = (try EmulatedKMS(), try RedisServer(["--requirepass", "hidden-right"]))
        let folder = try TemporaryDirectory()
        try folder.write("hidden-wrong\n", to: "password")
        let reason =
            "the engine refuses the user default or the password; correct --shared-user or --shared-password-file"
        let run = try await ServiceProcess.run(arguments: arguments(engine, folder), environment: kms.environment) {
            process async throws in
            for version in [1, 3] {
                #expect(try await process.key("demo-rsa", #","keyVersion":\#(version)"#).source == "kms")
            }
            let status = try await process.sharedStatus()
            #expect(status["state"]?.string == "degraded")
            #expect(status["lastError"]?.string == reason)
            #expect(!String(decoding: status.bytes, as: UTF8.self).contains("hidden"))
        }
        #expect(run.status == 0)
        #expect(run.logLines.count { $0.contains(reason) } == 1, "\(run.log)")
        #expect(!run.log.contains("hidden"))
    }
}
