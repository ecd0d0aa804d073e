import Foundation
import KMSEmulator
import KMSTestSupport
import Testing

/// The clients of `protocol/clients`, each run with its own interpreter against the emulator.
@Suite(.timeLimit(.minutes(5))) struct ClientTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../protocol/clients").standardizedFileURL.path

    /// Where programs are looked for: those of this package first.
    static let path = [
        String(BuiltProducts.path(of: "").dropLast()), ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
    ].joined(separator: ":")

    static func isInstalled(_ program: String) -> Bool {
        path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    private static let kms = Task { try EmulatedKMS() }

    private func run(_ command: String, _ arguments: [String]) async throws -> ServiceProcess.Outcome<[UInt8]> {
        let home = try TemporaryDirectory()
        return try await ServiceProcess.output(
            "/usr/bin/env", of: command.split(separator: " ").map(String.init) + arguments,
            environment: Self.kms.value.environment.merging(["PATH": Self.path, "HOME": home.path]) { $1 })
    }

    /// - Parameter command: with the client's path in it.
    private func expectKeysAndErrors(_ command: String) async throws {
        let outcome = try await run(command, ["demo-ec", "no-such-key", "demo-rsa", "demo-aes"])
        #expect(outcome.status == 0, "\(outcome.log)")
        let lines = String(decoding: outcome.result, as: UTF8.self).split(separator: "\n")
        // Those that ask for all at once may get the answers in any order.
        #expect(
            lines.sorted() == [
                "demo-aes KeyUnusable 1005 don't try again",
                "demo-ec EC 256 RX1AtBQKHoRQ3tS/7iT/UVRd0b4PopjtWMYx1L21AqM=",
                "demo-rsa RSA 2048 GXFSQ1lPOgmlfVM6HMXAO1i2AnTOv1pNUhj/Qnrme4o=",
                "no-such-key KeyNotFound 1004 don't try again",
            ], "\(lines) \(outcome.log)")
    }

    @Test func `each has at most 60 lines, and a test here`() throws {
        let files = try entries(ofFolder: Self.folder)
        #expect(
            Set(files) == ["client.py", "client.js", "client.bash", "client.swift", "client.el", "client.lua"])
        for file in files {
            let lines = try contents(of: "\(Self.folder)/\(file)").split(
                separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count - 1 <= 60, "\(file)")
        }
    }

    @Test(.enabled(if: isInstalled("python3"), "python3 is not installed")) func `the client in Python`() async throws {
        try await expectKeysAndErrors("python3 \(Self.folder)/client.py")
    }

    @Test(.enabled(if: isInstalled("node"), "node is not installed")) func `the client in JavaScript`() async throws {
        try await expectKeysAndErrors("node \(Self.folder)/client.js")
    }

    @Test(.enabled(if: isInstalled("bash"), "bash is not installed")) func `the client in Bash`() async throws {
        try await expectKeysAndErrors("bash \(Self.folder)/client.bash")
    }

    @Test(.enabled(if: isInstalled("swiftc"), "swiftc is not installed")) func `the client in Swift`() async throws {
        let folder = try TemporaryDirectory()
        let compiled = try await ServiceProcess.output(
            "/usr/bin/env", of: ["swiftc", "\(Self.folder)/client.swift", "-o", folder.path("client")],
            environment: ["PATH": Self.path, "HOME": folder.path])
        try #require(compiled.status == 0, "\(compiled.log)")
        try await expectKeysAndErrors(folder.path("client"))
    }

    @Test(.enabled(if: isInstalled("emacs"), "emacs is not installed")) func `the client in Emacs Lisp`() async throws {
        try await expectKeysAndErrors("emacs --batch -Q -l \(Self.folder)/client.el")
    }

    @Test(.enabled(if: isInstalled("nvim"), "nvim is not installed")) func `the client in Lua`() async throws {
        try await expectKeysAndErrors("nvim --headless --clean -S \(Self.folder)/client.lua")
    }
}
