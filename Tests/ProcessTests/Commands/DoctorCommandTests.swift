import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct DoctorCommandTests {
    /// What it prints: verdict, check and text of each line.
    private struct Line: Equatable {
        let verdict: String
        let check: String
        let text: String

        init(_ line: Substring) throws {
            let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
            try #require(parts.count == 3, "\(line)")
            (verdict, check, text) = (parts[0], parts[1], String(parts[2].drop { $0 == " " }))
        }
    }

    private func run(
        _ arguments: [String] = [], environment: [String: String]
    ) async throws -> (lines: [Line], verdicts: String, status: Int) {
        let outcome = try await ServiceProcess.output(of: ["doctor"] + arguments, environment: environment)
        let text = String(decoding: outcome.result, as: UTF8.self)
        #expect(outcome.log == "")
        #expect(text.hasSuffix("\n"))
        for secret in [Seed.AccessKey.demo.secret, Seed.AccessKey.demo.id] { #expect(!text.contains(secret)) }
        let lines = try text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { try Line($0) }
        return (lines, lines.map { "\($0.check) \($0.verdict)" }.joined(separator: ", "), outcome.status)
    }

    @Test func `with everything in order each line is ok and the status 0`() async throws {
        let kms = try EmulatedKMS()
        let doctor = try await run(environment: kms.environment)
        #expect(
            doctor.verdicts
                == "configuration ok, libraries ok, credentials ok, authorities ok, dns ok, connection ok, clock ok")
        #expect(doctor.lines[0].text.contains(kms.emulator.endpoint))
        #expect(doctor.lines[1].text.contains("libcurl "))
        #expect(doctor.lines[1].text.contains("OpenSSL "))
        #expect(doctor.lines[2].text == "access key DEMO… from the environment")
        #expect(doctor.lines[3].text.hasPrefix("one certificate in /"), "\(doctor.lines[3].text)")
        #expect(doctor.lines[3].text.hasSuffix(" (NCLOUD_KMS_CA_FILE)"))
        #expect(doctor.lines[4].text == "127.0.0.1 is an IP address, which needs no lookup")
        #expect(doctor.lines[5].text.contains("TLS"))
        #expect(doctor.status == 0)
        // The request that tries the connection asks for no key.
        #expect(kms.emulator.state.perKey.isEmpty)
    }

    @Test func `with a tag one real call is made`() async throws {
        let kms = try EmulatedKMS()
        let found = try await run(["demo-rsa"], environment: kms.environment)
        #expect(found.lines.last?.check == "key")
        #expect(found.lines.last?.verdict == "ok")
        #expect(found.status == 0)
        #expect(kms.emulator.state.perKey["demo-rsa"] == 1)

        let missing = try await run(["none"], environment: kms.environment)
        #expect(missing.lines.last?.verdict == "FAIL")
        #expect(missing.lines.last?.text.hasPrefix("KeyNotFound (1004): ") == true)
        #expect(missing.status == 1)
    }

    @Test(arguments: [("skew=+400s", "behind"), ("skew=-400s", "ahead of")])
    func `a wrong clock is a warning where the client corrects it, else a failure; and which way it is`(
        _ fault: String, _ word: String
    ) async throws {
        let kms = try EmulatedKMS(faults: [fault])
        let reachable = "configuration ok, libraries ok, credentials ok, authorities ok, dns ok, connection ok, "
        let corrected = try await run(["demo-ec"], environment: kms.environment)
        #expect(corrected.verdicts == reachable + "clock warn, key ok")
        #expect(corrected.lines[6].text.contains(" s \(word) the service's, which the client corrects; "))
        #expect(corrected.status == 0)

        let wrong = try await run(["demo-ec", "--no-clock-correction"], environment: kms.environment)
        #expect(wrong.verdicts == reachable + "clock FAIL, key FAIL")
        #expect(wrong.lines[6].text.contains(" s \(word) the service's; "), "\(wrong.lines[6].text)")
        #expect(
            wrong.lines[6].text.hasSuffix(
                "; the service refuses signatures that are 5 minutes off or more; set the clock"))
        #expect(wrong.status == 1)
    }

    @Test func `a file of authorities that can't be used is told before anybody connects`() async throws {
        let folder = try TemporaryDirectory()
        try folder.write("no certificate", to: "ca.pem")
        let kms = try EmulatedKMS()
        let doctor = try await run(["--ca-file", folder.path("ca.pem")], environment: kms.environment)
        #expect(
            doctor.verdicts
                == "configuration ok, libraries ok, credentials ok, authorities FAIL, dns ok, connection FAIL, clock skip"
        )
        #expect(doctor.lines[3].text.hasPrefix("UntrustedService (1011): No server is trusted: "))
        #expect(doctor.status == 1)
        let plain = try EmulatedKMS(usesTLS: false)
        let unencrypted = try await run(environment: plain.environment)
        #expect(unencrypted.verdicts.contains("authorities skip, dns ok"))
        #expect(unencrypted.lines[3].text == "skipped: not needed for plain HTTP")
    }

    @Test func `a clock within the tolerance is ok`() async throws {
        let kms = try EmulatedKMS(faults: ["skew=+200s"])
        let doctor = try await run(environment: kms.environment)
        #expect(doctor.lines.last?.verdict == "ok")
        #expect(doctor.status == 0)
    }

    @Test func `with everything failing every line comes all the same`() async throws {
        let doctor = try await run(
            ["demo-ec", "--endpoint", "https://no-such-host.invalid", "--max-attempts", "1"],
            environment: ["NCLOUD_PROFILE": "absent"])
        #expect(
            doctor.verdicts
                == "configuration ok, libraries ok, credentials FAIL, authorities ok, dns FAIL, connection FAIL, clock skip, key FAIL"
        )
        #expect(doctor.status == 1)
    }

    @Test func `a refused connection and an untrusted certificate are told apart`() async throws {
        let kms = try EmulatedKMS()
        var environment = kms.environment
        environment["NCLOUD_KMS_CA_FILE"] = nil
        let untrusted = try await run(environment: environment)
        #expect(untrusted.lines[5].verdict == "FAIL")
        #expect(untrusted.lines[5].text.hasPrefix("UntrustedService (1011): "), "\(untrusted.lines[5].text)")
        let refused = try await run(["--endpoint", "https://127.0.0.1:9"], environment: kms.environment)
        #expect(refused.lines[5].text.hasPrefix("ServiceUnavailable (1008): "), "\(refused.lines[5].text)")
        #expect([untrusted.status, refused.status] == [1, 1])
    }

    @Test(arguments: [
        ["--zone", "moon"], ["--ca-file", "/nonexistent"], ["--config-file", "/nonexistent"], ["--cache-ttl", "x"],
    ])
    func `a configuration that can't be used is a finding`(_ arguments: [String]) async throws {
        let doctor = try await run(["demo-ec"] + arguments, environment: [:])
        #expect(
            doctor.verdicts
                == "configuration FAIL, libraries ok, credentials skip, authorities skip, dns skip, connection skip, clock skip, key skip"
        )
        #expect(doctor.lines[0].text.hasPrefix(arguments[0]), "\(doctor.lines[0].text)")
        #expect(doctor.status == 1)
    }

    @Test func `every wrong setting is a finding, not the first`() async throws {
        let doctor = try await run(
            ["--zone", "moon", "--config-file", "/nonexistent", "--framing", "none", "--rate-total", "x"],
            environment: [
                "NCLOUD_KMS_CACHE_TTL": "x", "NCLOUD_KMS_LOG_LEVEL": "loud", "NCLOUD_KMS_ENDPOINT": "ftp://x",
            ])
        let wrong = doctor.lines.filter { $0.verdict == "FAIL" }
        #expect(
            wrong.map { $0.text.prefix { $0 != " " } } == [
                "NCLOUD_KMS_ENDPOINT", "--zone", "--config-file", "NCLOUD_KMS_CACHE_TTL", "--rate-total", "--framing",
                "NCLOUD_KMS_LOG_LEVEL",
            ])
        #expect(wrong.allSatisfy { $0.check == "configuration" })
        #expect(doctor.status == 1)
    }

    @Test func `with json each line is an object`() async throws {
        let kms = try EmulatedKMS()
        let outcome = try await ServiceProcess.output(
            of: ["doctor", "none", "--format", "json"], environment: kms.environment)
        let lines = try String(decoding: outcome.result, as: UTF8.self).split(separator: "\n")
            .map { try JSONValue(parsing: String($0)) }
        #expect(
            lines.map { $0["check"]?.string } == [
                "configuration", "libraries", "credentials", "authorities", "dns", "connection", "clock", "key",
            ])
        #expect(lines.map { $0["verdict"]?.string } == ["ok", "ok", "ok", "ok", "ok", "ok", "ok", "fail"])
        #expect(lines.allSatisfy { $0["text"]?.string?.isEmpty == false })
        #expect(lines.map { $0["error"]?["code"]?.integer } == [nil, nil, nil, nil, nil, nil, nil, 1004])
        #expect(outcome.log == "")
        #expect(outcome.status == 1)
        let wrong = try await ServiceProcess.output(of: ["doctor", "a/b", "--format", "json"])
        #expect(try JSONValue(parsing: wrong.log)["error"]?["code"]?.integer == -32602)
        #expect(wrong.status == 64)
    }

    @Test func `findings that can't be written are status 74`() async throws {
        let kms = try EmulatedKMS()
        let full = try await ServiceProcess.run(
            arguments: ["doctor"], environment: kms.environment, output: .file("/dev/full", O_WRONLY), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(full.status == 74)
        #expect(full.logLines.count == 1, "\(full.log)")
    }

    @Test func `credentials of a server's role are found where the client finds them`() async throws {
        let kms = try EmulatedKMS()
        let path = "/latest/meta-data/iam/security-credentials/"
        let document = """
            {"AccessKeyId":"ROLEKEY1","SecretAccessKey":"hidden-role-secret","Expiration":"2999-01-01T00:00:00Z",\
            "Code":"Success"}
            """
        let metadata = try RawResponder { connection in
            while true {
                let request = try connection.readRequest()
                let isList = request.head.hasPrefix("GET \(path) ")
                try connection.send(RawResponder.answer("200 OK", body: isList ? "role-1" : document))
            }
        }
        defer { metadata.stop() }
        var environment = kms.environment
        environment["NCLOUD_ACCESS_KEY_ID"] = nil
        environment["NCLOUD_SECRET_ACCESS_KEY"] = nil
        environment["NCLOUD_METADATA_API_ENDPOINT"] = metadata.baseURL
        let doctor = try await run(environment: environment)
        #expect(doctor.lines[2].verdict == "ok")
        #expect(doctor.lines[2].text == "access key ROLE… from server role role-1")
        #expect(!doctor.lines.contains { $0.text.contains("hidden-role-secret") })
    }
}
