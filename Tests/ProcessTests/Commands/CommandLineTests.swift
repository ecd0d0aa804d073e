import KMSCommands
import KMSPlatform
import KMSTestSupport
import Testing

/// What all commands have in common.
@Suite(.timeLimit(.minutes(5))) struct CommandLineTests {
    private static let verify = ["verify", "k", "--algorithm", "PS256", "--signature", "/dev/null", "/dev/null"]

    @Test(arguments: [
        ["get-public-key"], ["get-public-key", "k", "--no-such-flag"],
        ["get-public-key", "a/b"], ["get-public-key", "k", "a/b"], ["get-public-key", "k@0"], ["get-public-key", "k@"],
        ["get-public-key", "k@1@2"], ["get-public-key", ".."], ["get-public-key", ""],
        ["get-public-key", "k", "--key-version", "0"], ["get-public-key", "k", "--key-version", "101"],
        ["get-public-key", "k", "--key-version", "two"], ["get-public-key", "k", "--format", "xml"],
        ["get-public-key", "k", "--format"], ["get-public-key", "k", "--zone", "moon"],
        ["--no-such-flag", "get-public-key", "k"],
        ["verify"], ["verify", "k"], ["verify", "k", "/dev/null", "--algorithm", "PS256"],
        ["verify", "k", "/dev/null", "--signature", "/dev/null"], verify + ["surplus"],
        verify + ["--algorithm", "HS256"], verify + ["--encoding", "raw"], verify + ["--endpoint", "ftp://x"],
        ["doctor", "a/b"], ["doctor", "k", "surplus"], ["doctor", "--no-such-flag"],
        ["doctor", "--format", "xml"], ["terraform", "surplus"], ["terraform", "--zone", "moon"], ["terraform"],
    ])
    func `a wrong command line is at most three lines on stderr, and status 64`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.output(of: arguments)
        #expect(outcome.result == [])
        #expect((1...3).contains(outcome.logLines.count), "\(outcome.log)")
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: "), "\(outcome.log)")
        #expect(outcome.status == 64, "\(outcome.log)")
    }

    @Test(arguments: [["get-public-key", "k"], verify], ["--ca-file", "--config-file", "--token-file"])
    func `a file of a flag that can't be read is status 78, before the command or after it`(
        _ command: [String], _ flag: String
    ) async throws {
        for arguments in [command + [flag, "/nonexistent"], [flag, "/nonexistent"] + command] {
            let outcome = try await ServiceProcess.output(of: arguments)
            #expect(outcome.result == [])
            #expect(outcome.logLines.count == 1, "\(outcome.log)")
            #expect(outcome.log.contains(flag), "\(outcome.log)")
            #expect(outcome.status == 78)
        }
    }

    @Test(arguments: [
        (["getPublicKey", "demo-ec"], "get-public-key"), (["verifySignature"], "verify"),
        (["getStatus"], "request on stdin"),
        (["rpc.discover"], "request on stdin"), (["get-publickey", "k"], "get-public-key"),
        (["get_public_key"], "get-public-key"),
        (["docter"], "doctor"), (["--zone", "gov", "verfy", "k"], "verify"), (["teraform"], "terraform"),
        (["xyzzy"], "serve, get-public-key, verify, doctor, terraform, help"),
        (["help", "nope"], "serve, get-public-key, verify, doctor, terraform, help"),
        (["help", "getPublicKey"], "get-public-key"), (["nope", "--help"], "serve, get-public-key"),
    ])
    func `a word that is no command is status 64, and the line says what is`(
        _ arguments: [String], _ hint: String
    ) async throws {
        let outcome = try await ServiceProcess.output(of: arguments)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(outcome.log.contains(hint), "\(outcome.log)")
        #expect(outcome.status == 64)
    }

    @Test(arguments: [
        (["a\nb\u{1B}[31m"], 64), (["--ca-file", "/none\n\u{1B}[31m"], 78),
        (["--config-file", "/none\nb", "get-public-key", "k"], 78),
        (["get-public-key", "demo-ec", "-o", "/none\u{1B}[31m\n/x"], 74),
    ])
    func `what an error repeats of the command line moves no cursor, and stays on one line`(
        _ arguments: [String], _ status: Int
    ) async throws {
        let kms = try EmulatedKMS()
        let outcome = try await ServiceProcess.output(of: arguments, environment: kms.environment)
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(!outcome.log.contains("\u{1B}"))
        #expect(outcome.status == status, "\(outcome.log)")
    }

    private static let long = String(repeating: "x", count: 100_000)

    /// The symptoms: an error of 100 KB; and of one that was longer when it was escaped, nothing.
    @Test(arguments: [
        [String(repeating: "\u{202E}", count: 40_000)], [String(repeating: "/", count: 100_000)], ["k", long],
        ["k", "--\(long)"], ["k", "--zone=\(long)"], ["k", "--format", long], ["k", "--format=\(long)"],
        ["k", "-o", "/\(long)"], ["k", "--ca-file", "/\(long)"], ["k", "--config-file", "/\(long)"],
        ["k", "--token-file", "/\(long)"], ["k", "--profile", long], [String(repeating: "\u{301}", count: 60_000)],
        ["k", "--key-version", long, "--key-version=\(long)"], (1...20_000).map { "/\($0)" },
    ])
    func `an error is short, whatever it repeats of the command line`(_ arguments: [String]) async throws {
        let kms = try EmulatedKMS()
        let outcome = try await ServiceProcess.output(of: ["get-public-key"] + arguments, environment: kms.environment)
        #expect(outcome.logLines.count == 1, "\(outcome.log.utf8.count) bytes")
        #expect(outcome.log.utf8.count < 4_096)
        #expect([64, 66, 74, 78].contains(outcome.status), "\(outcome.log.prefix(500))")
    }

    @Test(arguments: [
        "NCLOUD_KMS_CA_FILE", "NCLOUD_KMS_TOKEN_FILE", "NCLOUD_PROFILE", "NCLOUD_CONFIG_FILE", "NCLOUD_KMS_ENDPOINT",
        "HTTPS_PROXY", "NCLOUD_KMS_PROXY",
    ])
    func `an error is short, whatever it repeats of a variable`(_ variable: String) async throws {
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key", "k", "--max-attempts", "1", "--endpoint", "http://127.0.0.1:9"],
            environment: [variable: "/\(Self.long)"])
        #expect((1..<4_096).contains(outcome.log.utf8.count), "\(outcome.log.utf8.count) bytes")
        #expect(outcome.logLines.count == 1)
    }

    @Test func `the other commands' errors are short, too`() async throws {
        let kms = try EmulatedKMS()
        for arguments in [
            [Self.long], ["verify", "k", "--algorithm", "PS256", "--signature", Self.long, "/dev/null"],
            ["verify", "k", "--algorithm", "PS256", "--signature", "/dev/null", Self.long],
        ] {
            let outcome = try await ServiceProcess.output(of: arguments, environment: kms.environment)
            #expect((1..<4_096).contains(outcome.log.utf8.count), "\(outcome.log.utf8.count) bytes")
            #expect([2, 64, 78].contains(outcome.status))
        }
    }

    /// A terminal that takes nothing, as after ctrl-S, and a descriptor of it to have it go on, as after ctrl-Q.
    private static func stoppedTerminal() throws -> (channel: Channel, control: CInt) {
        let terminal = try Channel.terminal()
        guard let control = Descriptors.privateCopy(of: terminal.program), tcflow(control, TCOOFF) == 0 else {
            throw PlatformError("tcflow")
        }
        return (terminal, control)
    }

    /// The symptom: the one line was dropped.
    @Test(arguments: [["get-public-key", "a/b"], ["verify"], ["docter"], ["get-public-key", "k", "--format", "xml"]])
    func `an error waits for a terminal that is stopped`(_ arguments: [String]) async throws {
        let (errors, control) = try Self.stoppedTerminal()
        let outcome = try await ServiceProcess.run(arguments: arguments, errors: errors, readsLog: false) { process in
            // It has come to its error.
            _ = try await ProcessFiles(processID: process.processID).settled()
            tcflow(control, TCOON)
            close(control)
            return try await onOwnThread {
                var text: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4_096)
                while true {
                    let count = read(errors.ours, &buffer, buffer.count)
                    guard count > 0 else { return String(decoding: text, as: UTF8.self) }
                    text += buffer[..<count]
                }
            }
        }
        #expect(outcome.result.hasPrefix("ncloud-kms-rpc: "), "\(outcome.result)")
        #expect(outcome.status == 64)
    }

    @Test(arguments: [["--no-such-flag"], ["--max-batch", "0"], ["serve", "--zone", "moon"], ["serve", "surplus"]])
    func `a service that can't start does not wait for a reader of its error`(_ arguments: [String]) async throws {
        let (errors, control) = try Self.stoppedTerminal()
        defer { close(control) }
        let outcome = try await ServiceProcess.run(arguments: arguments, errors: errors, readsLog: false) {
            try await $0.waitForEnd()
        }
        #expect(outcome.status == 64)
    }

    @Test func `an error that nobody can read is its status alone`() async throws {
        let errors = try Channel.pipeFromProgram()
        close(errors.ours)
        let outcome = try await ServiceProcess.run(
            arguments: ["get-public-key", "a/b"], errors: Channel(program: errors.program), readsLog: false
        ) { try await $0.waitForEnd() }
        #expect(outcome.status == 64)
    }

    @Test(arguments: [
        ["--help"], ["--version"], ["help"], ["help", "verify"], ["verify", "--help"],
        ["--generate-completion-script", "bash"],
    ])
    func `what a full disk does not take is status 74`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.run(
            arguments: arguments, output: .file("/dev/full", O_WRONLY), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(outcome.status == 74)
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: stdout: "), "\(outcome.log)")
        #expect(outcome.logLines.count == 1)
    }

    @Test(arguments: [["--help"], ["--version"], ["--generate-completion-script", "fish"]])
    func `help that a full disk does not take is no success of the emulator, either`(_ arguments: [String]) async throws
    {
        let outcome = try await ServiceProcess.run(
            "ncloud-kms-emulator", arguments: arguments, output: .file("/dev/full", O_WRONLY), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(outcome.status == 74)
        #expect(outcome.log.hasPrefix("ncloud-kms-emulator: stdout: "), "\(outcome.log)")
    }

    @Test(arguments: [
        ("get-public-key", "0 2 64 66 69 70 74 76 77 78"), ("verify", "0 1 2 64 70 74 78"),
        ("doctor", "0 1 64 70 74 78"), ("terraform", "0 2 64 66 69 70 74 76 77 78"),
        // A second signal ends a process that serves; it ends the others at once, without an exit.
        ("serve", "0 64 70 74 78 128+N"), (nil, "0 1 2 64 66 69 70 74 76 77 78 128+N"),
    ])
    func `help lists all exit statuses`(_ command: String?, _ statuses: String) async throws {
        let outcome = try await ServiceProcess.output(of: (command.map { [$0] } ?? []) + ["--help"])
        let lines = String(decoding: outcome.result, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "Exit status:"))
        let list = lines[(start + 1)...].prefix { !$0.isEmpty }
        #expect(list.compactMap { $0.split(separator: " ").first }.joined(separator: " ") == statuses)
    }

    @Test func `the commands that mistakes are compared with are those of the help`() async throws {
        let outcome = try await ServiceProcess.output(of: ["--help"])
        let lines = String(decoding: outcome.result, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "SUBCOMMANDS:"))
        // Texts go on further to the right.
        let names = lines[(start + 1)...].prefix { !$0.isEmpty }.filter { !$0.hasPrefix("   ") }
            .compactMap { $0.split(separator: " ").first.map(String.init) }
        #expect(names.count > 3)
        #expect(names + ["help"] == CommandWord.commands)
    }

    @Test(arguments: ["get-public-key", "verify", "doctor", "terraform"])
    func `the help of a command that asks once lists only what acts on it`(_ command: String) async throws {
        let outcome = try await ServiceProcess.output(of: [command, "--help"])
        let help = String(decoding: outcome.result, as: UTF8.self)
        for flag in [
            "--framing", "--max-batch", "--max-in-flight", "--max-message-bytes", "--parent-pid", "--cache-ttl",
            "--stale-if-error",
        ] { #expect(!help.contains(flag)) }
        // Which is one of those that ask for several keys.
        #expect(help.contains("--max-connections") == (command == "get-public-key"))
    }

    @Test func `options that do not act are taken all the same`() async throws {
        let kms = try EmulatedKMS()
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key", "demo-ec", "--framing", "lines", "--cache-ttl", "5", "--max-batch", "7"],
            environment: kms.environment)
        #expect(outcome.status == 0, "\(outcome.log)")
    }

    @Test(arguments: [[], ["get-public-key"], ["verify"], ["doctor"], ["terraform"], ["serve"]])
    func `help is on stdout and names every flag`(_ command: [String]) async throws {
        let outcome = try await ServiceProcess.output(of: command + ["--help"])
        let help = String(decoding: outcome.result, as: UTF8.self)
        #expect(outcome.status == 0)
        #expect(outcome.log == "")
        for flag in ["--endpoint", "--config-file", "--ca-file", "--log-level"] { #expect(help.contains(flag)) }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `completions name the commands`(_ shell: String) async throws {
        let outcome = try await ServiceProcess.output(of: ["--generate-completion-script", shell])
        let script = String(decoding: outcome.result, as: UTF8.self)
        #expect(outcome.status == 0)
        for command in ["get-public-key", "verify", "doctor", "terraform"] { #expect(script.contains(command)) }
    }

    @Test func `what would have a terminal show a line in another order is escaped`() async throws {
        let body = #"{"code":"FORBIDDEN","msg":"a\u202eb\u2066c\u009b31m"}"#
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send(RawResponder.answer("403 Forbidden", body: body))
        }
        defer { responder.stop() }
        let environment = EmulatedKMS.credentials.merging(["NCLOUD_KMS_ENDPOINT": responder.baseURL]) { $1 }
        for arguments in [["get-public-key", "k"], ["get-public-key", "k", "--ca-file", "/none\u{202E}\u{9B}31m"]] {
            let outcome = try await ServiceProcess.output(of: arguments, environment: environment)
            #expect(outcome.log.contains(#"\u{202e}"#) && outcome.log.contains(#"\u{9b}"#), "\(outcome.log)")
            #expect(!outcome.log.unicodeScalars.contains { ["\u{202E}", "\u{2066}", "\u{9B}"].contains($0) })
        }
    }
}
