import TestSupport
import Testing

/// What all commands have in common.
@Suite(.timeLimit(.minutes(5))) struct CommandLineTests {
    private static let verify = ["verify", "k", "--algorithm", "RS256", "--signature", "/dev/null", "/dev/null"]

    @Test(arguments: [
        ["get-public-key"], ["get-public-key", "k", "surplus"], ["get-public-key", "k", "--no-such-flag"],
        ["get-public-key", "a/b"], ["get-public-key", ".."], ["get-public-key", ""],
        ["get-public-key", "k", "--key-version", "0"], ["get-public-key", "k", "--key-version", "101"],
        ["get-public-key", "k", "--key-version", "two"], ["get-public-key", "k", "--format", "xml"],
        ["get-public-key", "k", "--format"], ["get-public-key", "k", "--zone", "moon"],
        ["--no-such-flag", "get-public-key", "k"],
        ["verify"], ["verify", "k"], ["verify", "k", "/dev/null", "--algorithm", "RS256"],
        ["verify", "k", "/dev/null", "--signature", "/dev/null"], verify + ["surplus"],
        verify + ["--algorithm", "HS256"], verify + ["--encoding", "raw"], verify + ["--endpoint", "ftp://x"],
        ["doctor", "a/b"], ["doctor", "k", "surplus"], ["doctor", "--no-such-flag"],
    ])
    func `a wrong command line is at most three lines on stderr, and status 64`(_ arguments: [String]) async throws {
        let outcome = try await ServiceProcess.output(of: arguments)
        #expect(outcome.result == [])
        #expect((1...3).contains(outcome.logLines.count), "\(outcome.log)")
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: "), "\(outcome.log)")
        #expect(outcome.status == 64, "\(outcome.log)")
    }

    @Test(arguments: [["get-public-key", "k"], verify], ["--ca-file", "--config-file", "--token-file"])
    func `a file of a flag that can't be read is status 78, before the command or behind it`(
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

    @Test(arguments: [[], ["get-public-key"], ["verify"], ["doctor"], ["serve"]])
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
        for command in ["get-public-key", "verify", "doctor"] { #expect(script.contains(command)) }
    }
}
