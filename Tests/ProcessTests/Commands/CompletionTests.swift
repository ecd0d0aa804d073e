import Foundation
import KMSTestSupport
import Testing

private func isInstalled(_ shell: String) -> Bool { FileManager.default.isExecutableFile(atPath: "/usr/bin/\(shell)") }

/// The shell completions, asked as the shells ask them.
@Suite(.timeLimit(.minutes(5))) struct CompletionTests {
    /// A command line whose last word is to be completed, and what it can be.
    private static let words: [(line: [String], completions: [String])] = [
        (["--zone", ""], ["public", "public-kr", "public-jp", "gov"]),
        (["get-public-key", "--zone", "public-"], ["public-kr", "public-jp"]),
        (["--framing", ""], ["lines", "headers", "auto"]),
        (["--log-level", ""], ["trace", "debug", "info", "notice", "warning", "error", "critical"]),
        (["verify", "--log-format", ""], ["text", "json"]),
        (["get-public-key", "--format", ""], ["pem", "der", "jwk", "jwks", "ssh", "pkcs1", "json"]),
        (["doctor", "--format", ""], ["text", "json"]),
        (
            ["verify", "--algorithm", ""],
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
        ),
        (["verify", "--encoding", ""], ["der", "p1363"]),
        (["--ca-file", "fi"], ["file.pem"]), (["serve", "--config-file", "fi"], ["file.pem"]),
        (["terraform", "--token-file", "fi"], ["file.pem"]), (["verify", "--signature", "fi"], ["file.pem"]),
        (["get-public-key", "-o", "fi"], ["file.pem"]), (["get-public-key", "--output", "fi"], ["file.pem"]),
    ]

    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        try folder.write("", to: "file.pem")
    }

    private func script(for shell: String) async throws -> String {
        let script = try await ServiceProcess.output(of: ["--generate-completion-script", shell])
        try folder.write(String(decoding: script.result, as: UTF8.self), to: "completions")
        return folder.path("completions")
    }

    private func completions(
        _ shell: String, _ program: String, _ arguments: [String]
    ) async throws -> Set<String> {
        let outcome = try await ServiceProcess.output(
            "/usr/bin/\(shell)", of: ["-c", program] + arguments, environment: ["HOME": folder.path])
        let lines = String(decoding: outcome.result, as: UTF8.self).split(separator: "\n")
        // fish puts a description after a tab.
        return Set(lines.map { String($0.prefix { $0 != "\t" }) })
    }

    @Test(.enabled(if: isInstalled("bash"), "bash is not installed"), arguments: words)
    func `bash completes values and files`(_ line: [String], _ expected: [String]) async throws {
        let ask = """
            shopt -s extglob; cd "$1"; . "$2"; shift 2
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
            function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let arguments = ["bash", folder.path, try await script(for: "bash"), "ncloud-kms-rpc"] + line
        #expect(try await completions("bash", ask, arguments) == Set(expected))
    }

    @Test(.enabled(if: isInstalled("fish"), "fish is not installed"), arguments: words)
    func `fish completes values and files`(_ line: [String], _ expected: [String]) async throws {
        let ask = "cd $argv[1]; source $argv[2]; complete --do-complete \"$argv[3..]\""
        let arguments = [folder.path, try await script(for: "fish"), "ncloud-kms-rpc"] + line
        #expect(try await completions("fish", ask, arguments).isSuperset(of: expected))
    }

    /// Its completions need a terminal to be asked; so the script is read.
    @Test func `zsh completes values and files`() async throws {
        let text = try String(contentsOfFile: try await script(for: "zsh"), encoding: .utf8)
        #expect(text.contains("___zone=('public' 'public-kr' 'public-jp' 'gov')"))
        for option in ["--ca-file", "--config-file", "--token-file", "--signature", "--output"] {
            let lines = text.split(separator: "\n").filter { $0.contains(option) && $0.contains(":") }
            #expect(!lines.isEmpty)
            #expect(lines.allSatisfy { $0.hasSuffix(":_files'") }, "\(option)")
        }
    }
}
