import Foundation
import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Options of the built program about where it listens, whom it serves and what it repeats.
@Suite(.timeLimit(.minutes(5))) struct ProgramOptionTests {
    private func shell(_ script: String) -> [String] { ["--", "/bin/sh", "-c", script] }

    // MARK: Where it listens

    @Test(arguments: [
        (["--listen", "nowhere"], "--listen"), (["--listen", "127.0.0.1:80"], "--listen"),
        (["--listen", ""], "--listen"), (["--san", "a b"], "--san"), (["--san", "kms.test,IP:1.2.3.4"], "--san"),
        (["--san", ""], "--san"), (["--http", "--san", "kms.test"], "--san needs TLS"),
        (["--http", "--ca-out", "/tmp/x"], "--ca-out needs TLS"), (["--ca-out", ""], "--ca-out"),
        (["--random-seed", "-1"], "--random-seed"), (["--random-seed", "x"], "--random-seed"),
    ])
    func `a bad value is reported, and nothing runs`(options: [String], message: String) async throws {
        let result = try await Program.run(Program.emulator, options + shell("echo ran"))
        #expect(result.status == 64)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test func `an address of another machine is the program's own failure`() async throws {
        let result = try await Program.run(Program.emulator, ["--listen", "203.0.113.254"] + shell("echo ran"))
        #expect(result.status == 125)
        #expect(result.errors.contains("bind to 203.0.113.254:0: Cannot assign requested address"), "\(result.errors)")
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", false), ("127.0.0.2", "127.0.0.2", false), ("0.0.0.0", "127.0.0.1", true),
    ])
    func `it warns when others can reach it, and its own endpoint works`(
        address: String, host: String, warns: Bool
    ) async throws {
        try await expectItListens(on: address, as: host, warns: warns)
    }

    @Test(.enabled(if: hasIPv6, "there is no IPv6 here"), arguments: [("::1", false), ("::", true)])
    func `it does the same over IPv6`(address: String, warns: Bool) async throws {
        try await expectItListens(on: address, as: "[::1]", warns: warns)
    }

    private func expectItListens(on address: String, as host: String, warns: Bool) async throws {
        let script =
            #"curl -sS -o /dev/null -w "%{http_code} $NCLOUD_KMS_ENDPOINT" "$NCLOUD_KMS_ENDPOINT/_emulator/health""#
        let result = try await Program.run(Program.emulator, ["--listen", address] + shell(script))
        #expect(result.output.hasPrefix("200 https://\(host):"), "\(result)")
        #expect(result.errors.hasPrefix("ncloud-kms-emulator: warning: listening on ") == warns, "\(result.errors)")
        #expect(result.errors.isEmpty != warns)
    }

    @Test func `the authority is written where others find it, and stays`() async throws {
        let directory = try TemporaryDirectory()
        let script = """
            stat -c %a "$NCLOUD_KMS_CA_FILE"; echo "$NCLOUD_KMS_CA_FILE"; cd /
            curl -sS -o /dev/null -w '%{http_code}' --connect-to "kms.test:443:${NCLOUD_KMS_ENDPOINT#https://}" \\
                --cacert "$NCLOUD_KMS_CA_FILE" https://kms.test/_emulator/health
            """
        // A relative path must also work for a command that changes its directory.
        let result = try await Program.run(
            "/bin/sh",
            ["-c", #"umask 077; cd "$0" && exec "$@""#, directory.path, Program.emulator]
                + ["--ca-out", "ca.pem", "--san", "kms.test"] + shell(script))
        #expect(result.output == "644\n\(directory.path("ca.pem"))\n200", "\(result)")
        #expect(try FileContents.of(directory.path("ca.pem")).starts(with: "-----BEGIN CERTIFICATE-----".utf8))
    }

    @Test func `in a path a leading tilde and slash are the home directory`() async throws {
        let home = try TemporaryDirectory()
        try home.write(#"{"accessKeys":[{"id":"MINE","secret":"s"}],"keys":[]}"#, to: "seed.json")
        let result = try await Program.run(
            Program.emulator,
            ["--seed", "~/seed.json", "--ca-out=~/ca.pem"]
                + shell(#"echo "$NCLOUD_ACCESS_KEY_ID $NCLOUD_KMS_CA_FILE""#),
            environment: ["HOME": home.path])
        #expect(result.output == "MINE \(home.path("ca.pem"))\n", "\(result)")
        #expect(try FileContents.of(home.path("ca.pem")).starts(with: "-----BEGIN CERTIFICATE-----".utf8))
    }

    // MARK: Nothing to run, nowhere to write

    /// As with `-- $CMD` and an empty variable. It served, printed its secret and waited without end.
    @Test(arguments: [["--"], ["--http", "--"]])
    func `a command that is missing after its dashes is a usage error`(_ arguments: [String]) async throws {
        let result = try await Program.run("/usr/bin/timeout", ["60", Program.emulator] + arguments)
        #expect(result.status == 64)
        #expect(result.output.isEmpty)
        #expect(
            result.errors
                == "ncloud-kms-emulator: no command after \"--\"; leave out \"--\" to run the emulator on its own\n")
    }

    private func runWithout(_ redirections: String, _ arguments: [String]) async throws -> Program.Result {
        try await Program.run(
            "/bin/sh", ["-c", #"exec timeout 60 "$0" "$@" "# + redirections, Program.emulator] + arguments)
    }

    /// The line and its secret went into the socket that had become descriptor 1.
    @Test(arguments: [">&-", "<&- >&-"])
    func `alone with a closed stdout it says so and ends`(_ redirections: String) async throws {
        let result = try await runWithout(redirections, ["--http"])
        #expect(result.status == 125)
        #expect(
            result.errors
                == "ncloud-kms-emulator: stdout is closed, so the emulator can't say where it listens\n")
        #expect(try await runWithout(redirections, ["--version"]).status == 74)
    }

    @Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    func `what was closed at the start is closed for the command, and nothing else lands there`(
        _ redirections: String
    ) async throws {
        let directory = try TemporaryDirectory()
        let script = """
            for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && open="$open$n"; done
            {
                echo "open $open"
                readlink "/proc/$PPID/fd/0" "/proc/$PPID/fd/1" "/proc/$PPID/fd/2"
                curl -sS -o /dev/null -w 'HTTP %{http_code}' "$NCLOUD_KMS_ENDPOINT/_emulator/health"
            } > "$1"
            exit 7
            """
        let result = try await Program.run(
            "/bin/sh",
            ["-c", #"exec "$0" "$@" "# + redirections, Program.emulator, "--http"] + shell(script)
                + ["sh", directory.path("report")])
        #expect(result.status == 7)
        let lines = String(decoding: try FileContents.of(directory.path("report")), as: UTF8.self)
            .split(separator: "\n")
        try #require(lines.count == 5, "\(lines)")
        let closed = redirections.split(separator: " ").map { ["<&-": 0, ">&-": 1][$0] ?? 2 }
        #expect(lines[0] == "open " + (0...2).filter { !closed.contains($0) }.map(String.init).joined())
        for number in closed { #expect(lines[1 + number] == "/dev/null", "\(lines)") }
        #expect(lines[4] == "HTTP 200")
    }

    // MARK: The server's role

    @Test func `with a metadata service the command has a role in place of a key pair`() async throws {
        let script = """
            env | grep -E '^NCLOUD_' | sort | cut -d= -f1 | tr '\\n' ' '
            base=$NCLOUD_METADATA_API_ENDPOINT/latest/meta-data/iam/security-credentials/
            curl -sS "$base$(curl -sS "$base")"
            """
        // Without the variables that are for the tests themselves, such as the kind of sanitizer.
        let own = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("NCLOUD_KMS_") }
        let pair = ["NCLOUD_ACCESS_KEY_ID": "old", "NCLOUD_SECRET_KEY": "old", "NCLOUD_KMS_TOKEN": "old"]
        let result = try await Program.run(
            Program.emulator, ["--metadata"] + shell(script),
            environment: Dictionary(uniqueKeysWithValues: own.map { ($0, String?.none) }).merging(pair) { $1 })
        let (names, document) = try #require(
            result.output.firstIndex(of: "{").map {
                (result.output[..<$0], String(result.output[$0...]))
            })
        #expect(names == "NCLOUD_CONFIG_FILE NCLOUD_KMS_CA_FILE NCLOUD_KMS_ENDPOINT NCLOUD_METADATA_API_ENDPOINT ")
        #expect(try JSONValue(parsing: document)["AccessKeyId"]?.string == Seed.AccessKey.demo.id)
        #expect(!result.output.contains("old"))
    }

    @Test func `alone it says where the metadata service is`() async throws {
        for (options, isThere) in [(["--http", "--metadata"], true), (["--http"], false)] {
            let status = try await Program.converse(options) { process in
                let announced = try JSONValue(parsing: try #require(await process.nextLine()))
                #expect(announced["metadataEndpoint"]?.string == (isThere ? announced["endpoint"]?.string : nil))
                process.signal(SIGTERM)
            }
            #expect(status == 0)
        }
    }

    // MARK: The seed

    @Test func `a seed comes from standard input, and the command finds that at its end`() async throws {
        let seed = #"{"accessKeys":[{"id":"MINE","secret":"s"}],"keys":[{"keyTag":"k","keyType":"AES256"}]}"#
        let script = "echo $NCLOUD_ACCESS_KEY_ID; cat"
        let result = try await Program.run(Program.emulator, ["--http", "--seed", "-"] + shell(script), input: seed)
        #expect(result.output == "MINE\n")
        #expect(result.status == 0)
    }

    @Test(arguments: [
        ("", "--seed -: not valid JSON: the text is empty"), ("{}", "--seed -: the member \"keys\" is missing"),
    ])
    func `a bad seed on standard input is reported`(seed: String, message: String) async throws {
        let result = try await Program.run(Program.emulator, ["--seed", "-"] + shell("echo ran"), input: seed)
        #expect(result.status == 64)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    /// They were held back while the seed was read, so that only SIGKILL ended the wait.
    @Test(arguments: [SIGINT, SIGTERM]) func `a signal ends the wait for a seed`(signal: Int32) async throws {
        let directory = try TemporaryDirectory()
        #expect(mkfifo(directory.path("seed"), 0o600) == 0)
        let status = try await Program.converse(["--seed", directory.path("seed")]) { process in
            // Opens once the program waits there; nothing is ever written.
            let path = directory.path("seed")
            let descriptor = await Task.detached { open(path, O_WRONLY | O_CLOEXEC) }.value
            defer { close(descriptor) }
            process.signal(signal)
            // Its end is what closes the reading end.
            var entry = pollfd(fd: descriptor, events: 0, revents: 0)
            #expect(poll(&entry, 1, 30_000) == 1)
        }
        #expect(status == -Int(signal))
    }

    // MARK: The random seed

    @Test func `a random seed repeats faults, jitter and request ids`() async throws {
        let script = """
            for n in $(seq 40); do
                curl -sS -D - -o /dev/null -d '' -w '%{http_code}\\n' "$NCLOUD_KMS_ENDPOINT/kms/v1/keys/a/get-pub-key" |
                    grep -Ei '^[0-9]|request-id'
                [ "$1" = more ] && curl -sS -o /dev/null "$NCLOUD_KMS_ENDPOINT/_emulator/health"
            done; true
            """
        func run(_ seed: String?, _ more: String = "") async throws -> String {
            let options = ["--http", "--jitter", "1", "--fault", "status=503,rate=0.5"]
            let result = try await Program.run(
                Program.emulator,
                options + (seed.map { ["--random-seed", $0] } ?? []) + shell(script) + ["sh", more])
            #expect(result.status == 0)
            return result.output
        }
        let first = try await run("42")
        #expect(first.contains("503\n") && first.contains("401\n"), "\(first)")
        #expect(try await run("42") == first)
        // Control requests do not count.
        #expect(try await run("42", "more") == first)
        #expect(try await run("43") != first)
        #expect(try await run(nil) != first)
    }
}
