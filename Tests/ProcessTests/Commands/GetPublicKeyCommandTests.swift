import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSPublicKeys
import KMSTestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct GetPublicKeyCommandTests {
    private static let kms = Task {
        let keys = try await TestKeys.shared.value
        var seed = keys.seed
        seed.keys.append(Seed.Key("odd", .ecdsa, [Self.odd(keys.p256.publicKey)]))
        return try EmulatedKMS(seed: seed)
    }

    /// A PEM with CRLF within and no line end after it.
    private static func odd(_ pem: String) -> String { String(pem.dropLast().replacing("\n", with: "\r\n")) }

    private func run(_ arguments: String...) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
    }

    private func text(_ arguments: String...) async throws -> String {
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
        #expect(outcome.status == 0)
        #expect(outcome.log == "")
        return String(decoding: outcome.result, as: UTF8.self)
    }

    @Test func `the PEM is alone on stdout, as the service sent it`() async throws {
        let keys = try await TestKeys.shared.value
        #expect(try await text("rsa") == keys.rsa.publicKey)
        #expect(try await text("rsa", "--format", "pem") == keys.rsa.publicKey)
        #expect(try await text("odd") == Self.odd(keys.p256.publicKey))
    }

    @Test func `a version can be asked for`() async throws {
        let keys = try await TestKeys.shared.value
        #expect(try await text("rsa", "--key-version", "1") == keys.otherRSA.publicKey)
        #expect(try await text("rsa", "--key-version", "2") == keys.rsa.publicKey)
    }

    @Test func `words count in any case, and white space around a value for nothing`() async throws {
        let keys = try await TestKeys.shared.value
        #expect(try await text("rsa", "--key-version", " 1", "--format", "Pem\r\n") == keys.otherRSA.publicKey)
        // Errors are for programs then, too, also before the command line is understood.
        for arguments in [["none", "--format", " JSON"], ["none", "--format=Json", "--no-such-flag"]] {
            let outcome = try await ServiceProcess.output(
                of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
            #expect(try JSONValue(parsing: outcome.log)["error"]?["code"]?.integer != nil, "\(outcome.log)")
        }
    }

    @Test(arguments: ["rsa", "ec", "k1"])
    func `each format is the same key`(_ keyTag: String) async throws {
        let pem = try await run(keyTag).result
        let key = try PublicKey(pem: pem)
        #expect(try await run(keyTag, "--format", "der").result == key.spki)

        var jwk = JSONWriter()
        key.writeJWK(to: &jwk)
        #expect(try await text(keyTag, "--format", "jwk") == String(decoding: jwk.bytes, as: UTF8.self) + "\n")

        let json = try await text(keyTag, "--format", "json")
        #expect(json.hasSuffix("}\n"))
        let result = try JSONValue(parsing: json)
        #expect(result["publicKey"]?.string == String(decoding: pem, as: UTF8.self))
        #expect(result["spkiSha256"]?.string == key.spkiSHA256)
        #expect(result["source"]?.string == "kms")

        if let line = key.sshLine(comment: keyTag) {
            #expect(try await text(keyTag, "--format", "ssh") == line + "\n")
        }
        if let pkcs1 = key.pkcs1PEM { #expect(try await text(keyTag, "--format", "pkcs1") == pkcs1) }
    }

    @Test(arguments: [
        (["none"], "KeyNotFound (1004): ", 66), (["rsa", "--key-version", "9"], "KeyUnusable (1005): ", 66),
        (["rsa@9"], "KeyUnusable (1005): ", 66),
        (["ec", "--format", "pkcs1"], "InvalidParams (-32602): --format ", 64),
        (["k1", "--format", "pkcs1"], "InvalidParams (-32602): --format ", 64),
        (["k1", "--format", "ssh"], "InvalidParams (-32602): --format ", 64),
        (["rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "1"], "ServiceUnavailable (1008): ", 69),
        // Attempts that are repeated are no lines of their own.
        (["rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "2"], "ServiceUnavailable (1008): ", 69),
        (["rsa", "--ca-file", "/etc/ssl/certs/ca-certificates.crt"], "UntrustedService (1011): ", 76),
        (["rsa@1", "--key-version", "2"], "rsa@1 and --key-version 2 contradict", 64),
        (["rsa", "-o", ""], "-o needs a file name", 64),
    ])
    func `an error is one line with its type, and has a status of its kind`(
        _ arguments: [String], _ start: String, _ status: Int
    ) async throws {
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: \(start)"), "\(outcome.log)")
        #expect(outcome.status == status)
    }

    @Test(arguments: [
        // To be asked again after the call's time, else it would be, until that is over.
        ("status=503", 1008, 69), ("status=429,code=410,retry-after=40", 1006, 69), ("status=429,code=400", 1007, 69),
        ("status=401,code=210", 1003, 77), ("status=401,code=200", 1002, 77), ("status=404", 1004, 66),
        ("status=422,code=UNPROCESSABLE_ENTITY", 1005, 66), ("status=200,html", 1010, 76),
        ("status=413,code=430", 1013, 2),
    ])
    func `each error of the service has its status, and with json its object`(
        _ fault: String, _ code: Int, _ status: Int
    ) async throws {
        let kms = try EmulatedKMS(faults: [fault])
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key", "demo-ec", "--format", "json", "--max-attempts", "1"], environment: kms.environment)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        let error = try JSONValue(parsing: outcome.log)["error"]
        #expect(error?["code"]?.integer == code, "\(outcome.log)")
        #expect(error?["data"]?["type"]?.string?.isEmpty == false)
        #expect(error?["message"]?.string?.isEmpty == false)
        #expect(outcome.status == status)
    }

    @Test(arguments: [
        (["--zone", "moon"], 64), (["--no-such-flag"], 64), (["--key-version", "0"], 64),
        (["--ca-file", "/nonexistent"], 78),
    ])
    func `with json a wrong command line is an object, too`(_ arguments: [String], _ status: Int) async throws {
        for format in [["--format", "json"], ["--format=json"]] {
            let outcome = try await ServiceProcess.output(of: ["get-public-key", "k"] + format + arguments)
            let error = try JSONValue(parsing: outcome.log)["error"]
            #expect(error?["code"]?.integer == -32602, "\(outcome.log)")
            #expect(error?["message"]?.string?.contains(arguments[0].dropFirst(2)) == true, "\(outcome.log)")
            #expect(outcome.status == status)
        }
    }

    // MARK: Several keys

    @Test func `several keys come in the order of their tags`() async throws {
        let keys = try await TestKeys.shared.value
        let pem = try await text("ec", "rsa@1", "odd", "rsa")
        let odd = Self.odd(keys.p256.publicKey)
        #expect(pem == keys.p256.publicKey + keys.otherRSA.publicKey + odd + "\n" + keys.rsa.publicKey)

        let lines = try await text("rsa", "ec", "--format", "ssh").split(separator: "\n")
        #expect(lines.map { $0.split(separator: " ").last } == ["rsa", "ec"])
        #expect(try await text("rsa", "ec", "--format", "jwk").split(separator: "\n").count == 2)

        let results = try JSONValue(parsing: await text("rsa@1", "k1", "--format", "json")).elements
        #expect(results?.map { $0["keyTag"]?.string } == ["rsa", "k1"])
        #expect(results?.map { $0["keyVersion"]?.integer } == [1, nil])
    }

    @Test func `--key-version holds for the tags that name none`() async throws {
        let results = try JSONValue(
            parsing: await text("rsa@1", "ec", "--key-version", "1", "--format", "json")
        ).elements
        #expect(results?.map { $0["keyVersion"]?.integer } == [1, 1])
    }

    @Test func `several keys are asked for at once`() async throws {
        // Who waits for the first answer before the second request gets none.
        let (both, arrived) = (Gate(), Lock(0))
        let pem = try await TestKeys.shared.value.p256.publicKey
        var body = JSONWriter()
        body.object { answer in
            answer.member("code", "SUCCESS")
            answer.member("data") { $0.object { $0.member("publicKey", pem) } }
        }
        let answer = RawResponder.answer("200 OK", body: String(decoding: body.bytes, as: UTF8.self))
        let responder = try RawResponder { connection in
            while true {
                _ = try connection.readRequest()
                let count = arrived.withLock { count in
                    count += 1
                    return count
                }
                if count == 2 { both.open() }
                both.wait()
                try connection.send(answer)
            }
        }
        defer { responder.stop() }
        var environment = EmulatedKMS.credentials
        environment["NCLOUD_KMS_ENDPOINT"] = responder.baseURL
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key", "a", "b", "--max-attempts", "1"], environment: environment)
        #expect(String(decoding: outcome.result, as: UTF8.self) == pem + pem, "\(outcome.log)")
    }

    @Test func `one key that fails leaves nothing on stdout`() async throws {
        for arguments in [["ec", "none", "rsa"], ["ec", "k1", "--format", "pkcs1"]] {
            let outcome = try await ServiceProcess.output(
                of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
            #expect(outcome.result == [])
            #expect(outcome.logLines.count == 1)
            #expect(outcome.status == (arguments.contains("none") ? 66 : 64))
        }
    }

    @Test func `jwks is a set of keys that verify`() async throws {
        let single = try JSONValue(parsing: await text("ec", "--format", "jwks"))["keys"]?.elements
        #expect(single?.count == 1)
        let keys = try JSONValue(parsing: await text("rsa", "ec", "k1", "--format", "jwks"))["keys"]?.elements
        #expect(keys?.map { $0["kty"]?.string } == ["RSA", "EC", "EC"])
        #expect(keys?.map { $0["use"]?.string } == ["sig", "sig", "sig"])
        #expect(keys?.map { $0["alg"]?.string } == [nil, "ES256", "ES256K"])
    }

    // MARK: Where the answer goes

    @Test func `-o writes a file at one go`() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path("key.pem")
        let keys = try await TestKeys.shared.value
        for (tag, key) in [("ec", keys.p256), ("rsa", keys.rsa)] {
            #expect(try await text(tag, "-o", path) == "")
            #expect(try contents(of: path) == key.publicKey)
        }
        // What failed leaves the file as it was, and nothing beside it.
        #expect(try await run("none", "-o", path).status == 66)
        #expect(try contents(of: path) == keys.rsa.publicKey)
        #expect(try entries(ofFolder: folder.path, includingHidden: true) == ["key.pem"])
        #expect(try await text("ec", "-o", "-") == keys.p256.publicKey)
    }

    /// A signal after the temporary file was made left that behind.
    @Test(
        .enabled(if: Strace.mayTrace, "strace is not installed, or may not trace"), arguments: ["INT", "TERM", "HUP"])
    func `a signal while a file is written ends the program after it, and leaves nothing beside the file`(
        _ signal: String
    ) async throws {
        let folder = try TemporaryDirectory()
        let outcome = try await ServiceProcess.output(
            Strace.program,
            of: [
                "-f", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:signal=SIG\(signal):when=1",
                BuiltProducts.path(of: "ncloud-kms-rpc"), "get-public-key", "ec", "--allow-debug", "-o",
                folder.path("key.pem"),
            ], environment: Self.kms.value.environment)
        #expect(outcome.status == ["INT": -SIGINT, "TERM": -SIGTERM, "HUP": -SIGHUP][signal].map { Int($0) })
        #expect(try entries(ofFolder: folder.path, includingHidden: true) == ["key.pem"])
        #expect(try await contents(of: folder.path("key.pem")) == TestKeys.shared.value.p256.publicKey)
    }

    @Test func `a file that can't be written is status 74`() async throws {
        let folder = try TemporaryDirectory()
        for path in [folder.path("absent/key.pem"), folder.path, "/dev/full"] {
            let outcome = try await run("ec", "--output", path)
            #expect(outcome.status == 74)
            #expect(outcome.log.hasPrefix("ncloud-kms-rpc: -o \(path): "), "\(outcome.log)")
        }
        #expect(try entries(ofFolder: folder.path, includingHidden: true) == [])
    }

    @Test func `DER is not written to a terminal`() async throws {
        let environment = try await Self.kms.value.environment
        let terminal = try Channel.terminal()
        let refused = try await ServiceProcess.run(
            arguments: ["get-public-key", "ec", "--format", "der"], environment: environment,
            output: terminal, readsLines: false, readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(refused.status == 64)
        #expect(refused.log.contains("-o FILE"), "\(refused.log)")
        // A file is none, whatever stdout is.
        let folder = try TemporaryDirectory()
        let written = try await ServiceProcess.run(
            arguments: ["get-public-key", "ec", "--format", "der", "-o", folder.path("key.der")],
            environment: environment, output: try Channel.terminal(), readsLines: false, readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(written.status == 0, "\(written.log)")
    }

    @Test func `without credentials the line says where they were looked for, and shows no secret`() async throws {
        var environment = try await Self.kms.value.environment
        environment["NCLOUD_ACCESS_KEY_ID"] = nil
        environment["NCLOUD_SECRET_ACCESS_KEY"] = nil
        let outcome = try await ServiceProcess.output(of: ["get-public-key", "rsa"], environment: environment)
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: CredentialsUnavailable (1001): "), "\(outcome.log)")
        #expect(outcome.logLines.count == 1)
        #expect(outcome.status == 77)
    }

    @Test func `the log is written in addition to the error if it is requested`() async throws {
        let outcome = try await run(
            "rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "2", "--log-level", "warning")
        #expect(outcome.logLines.count > 1)
        #expect(outcome.status == 69)
    }

    @Test func `a stdout that takes nothing is an error`() async throws {
        let environment = try await Self.kms.value.environment
        let full = try await ServiceProcess.run(
            arguments: ["get-public-key", "rsa"], environment: environment, output: .file("/dev/full", O_WRONLY),
            readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(full.status == 74)
        #expect(full.log.hasPrefix("ncloud-kms-rpc: stdout: "), "\(full.log)")
    }
}
