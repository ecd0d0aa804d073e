import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The built program, with a command and alone.
@Suite struct ProgramTests {
    private func wrap(
        _ command: [String], options: [String] = [], environment: [String: String?] = [:], input: String = ""
    ) async throws -> Program.Result {
        try await Program.run(Program.emulator, options + ["--"] + command, environment: environment, input: input)
    }

    private func shell(_ script: String, _ arguments: String...) -> [String] {
        ["/bin/sh", "-c", script, "sh"] + arguments
    }

    private func withTemporaryFile<Result>(
        _ contents: String, _ body: (String) async throws -> Result
    ) async throws -> Result {
        let directory = try TemporaryDirectory()
        try directory.write(contents, to: "seed.json")
        return try await body(directory.path("seed.json"))
    }

    // MARK: Wrapping

    @Test(arguments: [0, 1, 7, 64, 125, 255])
    func `the command's exit status is the program's`(status: Int) async throws {
        let result = try await wrap(shell("exit \(status)"))
        #expect(result.status == status)
        #expect(result.output.isEmpty)
        #expect(result.errors.isEmpty)
    }

    @Test(arguments: [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
    func `a command that a signal ended gives 128 and the signal`(signal: String, status: Int) async throws {
        #expect(try await wrap(shell("ulimit -c 0; kill -\(signal) $$")).status == status)
    }

    @Test func `a command that is not there gives 127, one that can't run 126`() async throws {
        let missing = try await wrap(["no-such-command-here"])
        #expect(missing.status == 127)
        #expect(missing.errors.contains("no-such-command-here: No such file or directory"))
        let unfit = try await wrap(["/etc/passwd"])
        #expect(unfit.status == 126)
        #expect(unfit.errors.contains("Permission denied"))
    }

    @Test func `an argument that is not UTF-8 reaches the command byte for byte`() async throws {
        let result = try await Program.run(
            "/bin/sh",
            [
                "-c", #""$0" --http -- /bin/sh -c 'printf %s "$1" | od -An -tx1' sh "$(printf 'a\377b')""#,
                Program.emulator,
            ])
        #expect(result.output == " 61 ff 62\n", "\(result.errors)")
    }

    @Test func `arguments, standard output and standard error pass through`() async throws {
        let result = try await wrap(
            shell("printf '<%s>' \"$@\"; echo oops >&2", "a b", "--seed", "", "--", "é"), options: ["--http"])
        #expect(result.output == "<a b><--seed><><--><é>")
        #expect(result.errors == "oops\n")
    }

    @Test func `a big input passes through to its last byte`() async throws {
        let input = String(repeating: "0123456789abcdef", count: 1 << 20)
        let result = try await wrap(["cat"], input: input)
        #expect(result.output == input)
    }

    @Test func `the environment leads to the emulator, and nowhere else`() async throws {
        var misleading: [String: String?] = ["KEPT": "yes=no", "NCLOUD_ACCESS_KEY": "old"]
        let removed = [
            "NCLOUD_KMS_TOKEN", "NCLOUD_KMS_TOKEN_FILE", "NCLOUD_KMS_ZONE", "NCLOUD_KMS_PROXY", "NCLOUD_PROFILE",
            "NCLOUD_CONFIG_FILE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
            "NO_PROXY", "no_proxy",
        ]
        for name in removed { misleading[name] = "http://elsewhere" }
        let result = try await wrap(["env"], environment: misleading)
        var variables: [String: String] = [:]
        for line in result.output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(variables.updateValue(String(parts.last ?? ""), forKey: String(parts[0])) == nil, "\(line)")
        }
        for name in removed { #expect(variables[name] == nil, "\(name)") }
        #expect(variables["KEPT"] == "yes=no")
        #expect(variables["NCLOUD_KMS_ENDPOINT"]?.hasPrefix("https://127.0.0.1:") == true)
        #expect(variables["NCLOUD_KMS_CA_FILE"]?.hasSuffix("/ca.pem") == true)
        #expect(variables["NCLOUD_ACCESS_KEY_ID"] == Seed.AccessKey.demo.id)
        #expect(variables["NCLOUD_ACCESS_KEY"] == Seed.AccessKey.demo.id)
        #expect(variables["NCLOUD_SECRET_ACCESS_KEY"] == Seed.AccessKey.demo.secret)
        #expect(variables["NCLOUD_SECRET_KEY"] == Seed.AccessKey.demo.secret)
    }

    @Test func `over plain HTTP there is no CA file`() async throws {
        let result = try await wrap(
            shell("echo \"$NCLOUD_KMS_ENDPOINT ${NCLOUD_KMS_CA_FILE-none}\""), options: ["--http"],
            environment: ["NCLOUD_KMS_CA_FILE": "/elsewhere"])
        #expect(result.output.hasPrefix("http://127.0.0.1:"))
        #expect(result.output.hasSuffix(" none\n"))
    }

    @Test func `the CA file is private, good, and gone at the end`() async throws {
        let result = try await wrap(
            shell(
                """
                stat -c %a "$NCLOUD_KMS_CA_FILE" "$(dirname "$NCLOUD_KMS_CA_FILE")"
                echo "$NCLOUD_KMS_CA_FILE"
                curl -sS -o /dev/null -w '%{http_code}\\n' --cacert "$NCLOUD_KMS_CA_FILE" "$NCLOUD_KMS_ENDPOINT/"
                """))
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(result)")
        #expect(Array(lines.prefix(2)) == ["600", "700"])
        #expect(lines.last == "404")
        if lines.count == 4 { #expect(access(lines[2], F_OK) == -1) }
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
    func `signals go to the command, which decides`(signal: Int32) async throws {
        let name = [SIGTERM: "TERM", SIGINT: "INT", SIGHUP: "HUP", SIGUSR1: "USR1"][signal] ?? ""
        // The child says that it is ready: before it has reset the traps it inherits, it would lose the signal that ends it.
        let script = "trap 'kill $!; echo caught; exit 9' \(name); sh -c 'echo ready; exec sleep 1000' & wait"
        let result = try await Program.converse(["--http", "--"] + shell(script)) { process in
            #expect(await process.nextLine() == "ready")
            process.signal(signal)
            #expect(await process.nextLine() == "caught")
        }
        #expect(result == 9)
    }

    @Test func `a signal that the command does not catch ends it and gives its status`() async throws {
        let result = try await Program.converse(["--http", "--"] + shell("echo ready; exec sleep 1000")) { process in
            #expect(await process.nextLine() == "ready")
            process.signal(SIGTERM)
        }
        #expect(result == 128 + Int(SIGTERM))
    }

    @Test func `the command starts with the mask that the program was started with`() async throws {
        let result = try await wrap(["grep", "-E", "SigBlk|SigIgn", "/proc/self/status"])
        let direct = try await Program.run("/bin/grep", ["-E", "SigBlk|SigIgn", "/proc/self/status"])
        #expect(result.output == direct.output)
    }

    // MARK: Standing alone

    @Test(arguments: [SIGTERM, SIGINT])
    func `alone it prints one line, serves until a signal, and cleans up`(signal: Int32) async throws {
        var caFile: String?
        let status = try await Program.converse([]) { process in
            let line = try #require(await process.nextLine())
            let announced = try JSONValue(parsing: line)
            let endpoint = try #require(announced["endpoint"]?.string)
            caFile = announced["caFile"]?.string
            #expect(announced["accessKeyId"]?.string == Seed.AccessKey.demo.id)
            #expect(announced["secretAccessKey"]?.string == Seed.AccessKey.demo.secret)
            #expect(announced["keys"]?.elements?.compactMap(\.string) == ["demo-rsa", "demo-ec", "demo-aes"])
            let request = SignedRequest(keyTag: "demo-ec")
            let (status, response) = try await Curl.send(
                request.headers.flatMap { ["-H", $0] } + ["-d", "", endpoint + request.target], trusting: caFile)
            #expect(status == 0)
            let key = try JSONValue(parsing: response.body)["data"]?["publicKey"]?.string
            #expect(key == Seed.demo.keys[1].versions[0].publicKey)
            process.signal(signal)
            #expect(await process.nextLine() == nil)
        }
        #expect(status == 0)
        #expect(access(try #require(caFile), F_OK) == -1)
    }

    /// The symptom: `nohup` could not keep it alive, since a blocked signal is never ignored.
    @Test func `a signal that was ignored at the start, as by nohup, stays ignored`() async throws {
        let outcome = try await ServiceProcess.run(
            "/usr/bin/env", arguments: ["--ignore-signal=HUP", Program.emulator, "--http"]
        ) { process in
            _ = await process.nextLine()
            let file = try FileContents.of("/proc/\(process.processID)/status")
            let status = String(decoding: file, as: UTF8.self)
            for (field, isSet) in [("SigIgn", true), ("SigBlk", false)] {
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(field):") })
                let mask = try #require(UInt64(line.split(separator: "\t").last ?? "", radix: 16))
                #expect((mask & 1 << UInt64(SIGHUP - 1) != 0) == isSet, "\(line)")
            }
            process.signal(SIGHUP)
            process.signal(SIGTERM)
            try await process.waitForEnd()
        }
        #expect(outcome.status == 0)
    }

    @Test func `alone over plain HTTP the CA file is null`() async throws {
        let status = try await Program.converse(["--http"]) { process in
            let line = try #require(await process.nextLine())
            #expect(line.contains("\"endpoint\":\"http://127.0.0.1:"))
            #expect(line.contains("\"caFile\":null"))
            process.signal(SIGTERM)
        }
        #expect(status == 0)
    }

    // MARK: Options

    @Test func `a seed file is served, and its first access key is handed on`() async throws {
        let seed = #"{"accessKeys":[{"id":"MINE","secret":"s"}],"keys":[{"keyTag":"k","keyType":"AES256"}]}"#
        try await withTemporaryFile(seed) { path in
            let result = try await wrap(
                shell("echo $NCLOUD_ACCESS_KEY_ID $NCLOUD_SECRET_KEY"), options: ["--http", "--seed", path])
            #expect(result.output == "MINE s\n")
        }
    }

    /// An RSA key fills the memory that the text was in: in an optimised build it was read after it had been freed.
    @Test(arguments: [["RSA", "rsa_keygen_bits:2048"], ["EC", "ec_paramgen_curve:P-256"]])
    func `the public half of a private key in a seed file is served`(algorithm: [String]) async throws {
        let privateKey = try await Program.run(
            "/usr/bin/openssl", ["genpkey", "-algorithm", algorithm[0], "-pkeyopt", algorithm[1]]
        ).output
        let expected = try await Program.run("/usr/bin/openssl", ["pkey", "-pubout"], input: privateKey).output
        let type = algorithm[0] == "EC" ? "ECDSA" : "RSA2048"
        let version = #"{"version":1,"privateKey":"\#(privateKey.replacing("\n", with: #"\n"#))"}"#
        let seed = #"{"keys":[{"keyTag":"k","keyType":"\#(type)","versions":[\#(version)]}]}"#
        try await withTemporaryFile(seed) { path in
            let status = try await Program.converse(["--http", "--seed", path]) { process in
                let announced = try JSONValue(parsing: try #require(await process.nextLine()))
                let request = SignedRequest(keyTag: "k")
                let (_, response) = try await Curl.send(
                    request.headers.flatMap { ["-H", $0] }
                        + ["-d", "", try #require(announced["endpoint"]?.string) + request.target], trusting: nil)
                #expect(try JSONValue(parsing: response.body)["data"]?["publicKey"]?.string == expected)
                process.signal(SIGTERM)
            }
            #expect(status == 0)
        }
    }

    @Test func `throttle, latency and faults reach the server`() async throws {
        let script = """
            curl -sS -o /dev/null -w '%{http_code} ' -X POST "$NCLOUD_KMS_ENDPOINT/kms/v1/keys/a/get-pub-key"
            curl -sS "$NCLOUD_KMS_ENDPOINT/_emulator/state"
            """
        let result = try await wrap(
            shell(script),
            options: [
                "--http", "--fault", "status=418,count=1", "--fault", "skew=-5m", "--throttle", "5", "--latency", "1",
                "--jitter", "1",
            ])
        #expect(result.output.hasPrefix("418 {\"total\":1,\"perKey\":{\"a\":1}"))
    }

    @Test(arguments: [
        (["--fault", "hng", "--", "true"], "the fault \"hng\""), (["--latency=-1", "--", "true"], "--latency"),
        (["--throttle=-1", "--", "true"], "--throttle"), (["--port", "65536", "--", "true"], "--port"),
        (["--seed", "/nonexistent", "--", "true"], "--seed /nonexistent: open: No such file or directory"),
        (["true"], "true"), (["--nonsense"], "--nonsense"),
    ])
    func `a wrong option is reported, and nothing runs`(arguments: [String], message: String) async throws {
        let result = try await Program.run(Program.emulator, arguments)
        #expect(result.status == 64)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test func `a mistake in a seed is reported with its place`() async throws {
        try await withTemporaryFile(#"{"keys":[{"keyTag":"k","keyType":"DES"}]}"#) { path in
            let result = try await Program.run(Program.emulator, ["--seed", path, "--", "true"])
            #expect(result.status == 64)
            #expect(result.errors.contains("keys[0].keyType: must be one of AES256, RSA2048, ECDSA"))
        }
    }

    @Test func `a taken port is the program's own failure`() async throws {
        let emulator = try Emulator(.init(usesTLS: false))
        defer { emulator.stop() }
        let result = try await Program.run(Program.emulator, ["--port", "\(emulator.port)", "--", "true"])
        #expect(result.status == 125)
        #expect(result.errors.contains("Address already in use"))
    }

    @Test func `it knows its version and explains itself`() async throws {
        let version = try await Program.run(Program.emulator, ["--version"])
        let lines = version.output.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count == 6)
        #expect(lines[0] == "ncloud-kms-emulator \(ProgramVersion.text)")
        #expect(lines[1].hasPrefix("commit ") && lines[2].hasPrefix("Swift "))
        #expect(lines[3].contains(/^libmicrohttpd \d+\.\d+/) && lines[4].contains(/^OpenSSL 3\.\d+/))
        let help = try await Program.run(Program.emulator, ["--help"])
        #expect(help.status == 0)
        for word in ["rawAnswer", "close-every=N", "skew=+360s", "-- COMMAND", "/_emulator/"] {
            #expect(help.output.contains(word), "\(word)")
        }
    }
}
