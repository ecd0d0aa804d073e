import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// What `doctor` says about the engine of `--shared`, with a real one.
@Suite(.enabled(if: RedisServer.Kind.redis.isInstalled, "redis-server is not installed"), .timeLimit(.minutes(5)))
struct DoctorEngineTests {
    private struct Finding {
        let check: String
        let verdict: String
        let text: String
    }

    private static let leastRights = [
        "+eval", "+evalsha", "+get", "+set", "+del", "+pttl", "+pexpire", "+hset", "+hmget", "+time",
    ]

    /// The findings about the engine, and the exit status.
    private func run(
        _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (findings: [Finding], verdicts: String, status: Int) {
        let kms = try EmulatedKMS()
        let outcome = try await ServiceProcess.output(
            of: ["doctor", "--format", "json"] + arguments,
            environment: kms.environment.merging(environment) { _, new in new })
        #expect(outcome.log == "")
        let findings = try String(decoding: outcome.result, as: UTF8.self).split(separator: "\n").map { line in
            let line = try JSONValue(parsing: String(line))
            return try Finding(
                check: #require(line["check"]?.string), verdict: #require(line["verdict"]?.string),
                text: #require(line["text"]?.string))
        }.filter { $0.check.hasPrefix("engine") }
        let verdicts = findings.map { "\($0.check.dropFirst("engine".count)) \($0.verdict)" }
        return (findings, verdicts.joined(separator: ","), outcome.status)
    }

    private func user(_ name: String, _ rules: [String], in engine: RedisServer) throws {
        var words = ["ACL", "SETUSER", name, "reset", "on", ">right"]
        words += rules
        #expect(try engine.command(words) == "OK")
    }

    private let password = ["NCLOUD_KMS_SHARED_PASSWORD": "right"]

    @Test(arguments: ["off", "read", "on"]) func `an engine in order is ok, and nothing stays in it`(
        _ keys: String
    ) async throws {
        let engine = try RedisServer()
        let doctor = try await run(["demo-ec", "--shared", engine.url, "--shared-keys", keys])
        #expect(doctor.verdicts == " ok,-clock ok,-rights ok,-memory ok,-names ok")
        #expect(doctor.findings[0].text.hasPrefix("\(engine.url), redis "), "\(doctor.findings[0].text)")
        #expect(doctor.findings[1].text == "the same as the engine's")
        #expect(doctor.findings[3].text == "maxmemory-policy is noeviction")
        #expect(doctor.status == 0)
        // The real call for the key leaves what calls leave, under the names that were told.
        let names = Set(try engine.command("KEYS", "*").split(separator: "\n").map(String.init))
        let parts = doctor.findings[4].text.split(separator: ", ").map { String($0.split(separator: " ")[1]) }
        // The budget is gone after 15 s.
        #expect(names.subtracting([parts[0]]) == Set(keys == "on" ? [parts[1]] : []))
        #expect(!doctor.findings[4].text.contains("demo-ec"))
    }

    @Test func `without an engine nothing is said about one`() async throws {
        #expect(try await run([]).findings.isEmpty)
    }

    @Test(arguments: [
        ("off", leastRights, ["~nkms:1:*"]), ("on", leastRights, ["~nkms:1:*"]),
        (
            "read", ["+eval", "+evalsha", "+get", "+del", "+pexpire", "+hset", "+hmget", "+time"],
            ["~nkms:1:b:*", "%R~nkms:1:k:*", "%R~nkms:1:f:*"]
        ),
    ])
    func `the least rights of the documentation suffice, and what they hide is unknown`(
        _ keys: String, _ commands: [String], _ names: [String]
    ) async throws {
        let engine = try RedisServer()
        try user("kms", names + ["-@all"] + commands, in: engine)
        let doctor = try await run(
            ["demo-ec", "--shared", engine.url, "--shared-keys", keys, "--shared-user", "kms"], environment: password)
        #expect(doctor.verdicts == " ok,-clock ok,-rights ok,-memory skip,-names ok", "\(doctor.findings)")
        #expect(doctor.status == 0)
        // Each of them is needed: without one, doctor names it.
        for command in commands where keys != "off" || !["+get", "+set", "+pttl"].contains(command) {
            try user("kms", names + ["-@all"] + commands.filter { $0 != command }, in: engine)
            let less = try await run(
                ["--shared", engine.url, "--shared-keys", keys, "--shared-user", "kms"], environment: password)
            let rights = try #require(less.findings.first { $0.check == "engine-rights" })
            #expect(rights.verdict == "fail")
            #expect(rights.text.hasSuffix(": ACL SETUSER kms \(command)"), "\(rights.text)")
            #expect(less.status == 1)
        }
    }

    @Test func `without a login, a missing right is told in the same way`() async throws {
        let engine = try RedisServer()
        for (command, clock) in [("time", "skip"), ("hmget", "ok")] {
            #expect(try engine.command("ACL", "SETUSER", "default", "-\(command)") == "OK")
            let doctor = try await run(["--shared", engine.url])
            #expect(doctor.verdicts == " ok,-clock \(clock),-rights fail,-memory ok", "\(doctor.findings)")
            let rights = try #require(doctor.findings.first { $0.check == "engine-rights" })
            #expect(rights.text.hasSuffix(": ACL SETUSER default +\(command)"), "\(rights.text)")
            #expect(doctor.status == 1)
            #expect(try engine.command("ACL", "SETUSER", "default", "+\(command)") == "OK")
        }
    }

    @Test func `names that the user may not touch are told as a pattern`() async throws {
        let engine = try RedisServer()
        try user("kms", ["~nkms:1:b:*", "-@all"] + Self.leastRights, in: engine)
        let doctor = try await run(
            ["--shared", engine.url, "--shared-keys", "on", "--shared-user", "kms"], environment: password)
        #expect(doctor.findings[2].text.hasSuffix(": ACL SETUSER kms ~nkms:1:k:* ~nkms:1:f:*"), "\(doctor.findings)")
    }

    @Test func `a wrong password and a missing one`() async throws {
        let engine = try RedisServer(["--requirepass", "right"])
        let wrong = try await run(
            ["--shared", engine.url], environment: ["NCLOUD_KMS_SHARED_PASSWORD": "hidden-wrong"])
        #expect(wrong.verdicts == " fail,-clock skip,-rights skip,-memory skip")
        let reason = "the engine refuses the user default or the password; correct "
        #expect(wrong.findings[0].text == reason + "--shared-user or NCLOUD_KMS_SHARED_PASSWORD")
        #expect(wrong.status == 1)
        let none = try await run(["--shared", engine.url])
        #expect(none.verdicts == wrong.verdicts)
        #expect(none.findings[0].text == "the engine requires a password; give it with --shared-password-file")
    }

    @Test func `an engine that is not there, and one that is stopped`() async throws {
        let folder = try TemporaryDirectory()
        let absent = try await run(["--shared", "unix://\(folder.path("none.sock"))"])
        #expect(absent.verdicts == " fail,-clock skip,-rights skip,-memory skip")
        #expect(absent.findings[0].text.contains("No such file or directory"), "\(absent.findings[0].text)")

        let engine = try RedisServer()
        engine.pause()
        defer { engine.resume() }
        let stopped = try await run(["--shared", engine.url])
        #expect(stopped.verdicts == " fail,-clock skip,-rights skip,-memory skip")
        #expect(stopped.findings[0].text == "\(engine.url) took longer than 1000 ms to connect and answer")
    }

    @Test func `what is neither Redis nor Valkey`() async throws {
        let web = try RawResponder { connection in try connection.send(RawResponder.answer("400 Bad Request", body: ""))
        }
        defer { web.stop() }
        let url = "redis://" + web.baseURL.dropFirst("http://".count)
        let doctor = try await run(["--shared", url])
        #expect(doctor.verdicts == "-dns ok, fail,-clock skip,-rights skip,-memory skip")
        #expect(doctor.findings[1].text == "what answers at \(url) is neither Redis nor Valkey")
    }

    @Test func `a host that does not exist is told twice: by its name and by the connection`() async throws {
        let doctor = try await run(["--shared", "rediss://no-such-host.invalid"])
        #expect(doctor.verdicts == "-dns fail, fail,-clock skip,-rights skip,-memory skip")
        #expect(doctor.findings[0].text.hasPrefix("no-such-host.invalid was not found: "))
    }

    @Test func `a policy that drops budgets is a warning`() async throws {
        let engine = try RedisServer(["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"])
        let doctor = try await run(["--shared", engine.url])
        #expect(doctor.verdicts == " ok,-clock ok,-rights ok,-memory warn")
        #expect(doctor.findings[3].text.hasPrefix("maxmemory-policy is allkeys-lru, "))
        #expect(doctor.status == 0)
        try engine.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        #expect(try await run(["--shared", engine.url]).findings[3].text == "maxmemory-policy is volatile-ttl")
    }

    @Test func `a cluster is told, and that names of other members can't be reached`() async throws {
        let engine = try RedisServer(["--cluster-enabled", "yes", "--cluster-port", "\(try Nginx.freePort())"])
        let doctor = try await run(["--shared", engine.url])
        #expect(doctor.verdicts == " ok, warn,-clock ok,-rights fail,-memory ok", "\(doctor.findings)")
        #expect(doctor.findings[1].text.contains("cluster"))
        #expect(doctor.findings[3].text.contains("CLUSTERDOWN"), "\(doctor.findings[3].text)")
    }

    @Test func `over TLS`() async throws {
        let authority = try TestAuthority()
        let engine = try RedisServer(identity: authority.makeIdentity())
        let url = "rediss://127.0.0.1:\(engine.port)"
        let trusted = try await run(["--shared", url, "--shared-ca-file", authority.file])
        #expect(trusted.verdicts == "-dns ok, ok,-clock ok,-rights ok,-memory ok", "\(trusted.findings)")
        #expect(trusted.findings[1].text.contains("; connected over TLS and ready in "))
        let unknown = try await run(["--shared", url])
        #expect(unknown.verdicts == "-dns ok, fail,-clock skip,-rights skip,-memory skip")
    }
}
