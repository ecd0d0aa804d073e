import Foundation
import KMSPlatform
import KMSTestSupport

/// A client of others, run by a script that starts the program with it, and that ends with status 0 if all is well.
struct ForeignClient {
    /// The command of the script; `PROGRAM` in it stands for the program's path.
    let command: [String]
    /// The virtual environment in `.build/python` with the packages that the script needs. `.ci/dependencies` makes it.
    var packages: String?

    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures").path

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL

    /// The published schemas of MCP, which are not ours to copy: they lie beside the package, or nowhere.
    static let schemas: String? = {
        let path = root.appending(path: "../shared/data/mcp-schema").standardizedFileURL.path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()

    private static func programs(ofPackages name: String) -> String {
        root.appending(path: ".build/python/\(name)/bin").path
    }

    /// Whether a virtual environment exists.
    static func has(packages name: String) -> Bool { access("\(programs(ofPackages: name))/python3", X_OK) == 0 }

    /// Whether a command is installed.
    static func has(command name: String) -> Bool {
        (try? ChildProcess.run("/bin/sh", ["-c", "command -v \(name)"])) != nil
    }

    /// Runs the script to its end.
    ///
    /// - Parameter environment: of the emulator.
    /// - Throws: `ChildProcess.Failure` with what it wrote, if its status is not 0.
    func run(environment: [String: String]) async throws {
        // Some write files at home.
        let home = try TemporaryDirectory()
        defer { withExtendedLifetime(home) {} }
        var variables = environment
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        variables["PATH"] = packages.map { "\(Self.programs(ofPackages: $0)):\(path)" } ?? path
        variables["HOME"] = home.path
        variables["PROGRAM"] = BuiltProducts.path(of: "ncloud-kms-rpc")
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        let words = command.map { $0 == "PROGRAM" ? BuiltProducts.path(of: "ncloud-kms-rpc") : $0 }
        let lines = variables.map { "\($0.key)=\($0.value)" }
        _ = try await onOwnThread {
            // What hangs is a failure.
            try ChildProcess("/usr/bin/env", ["timeout", "120"] + words, environment: lines).waitForExit()
        }
    }
}
