import KMSPlatform
import KMSTestSupport

/// The system calls of a program, in order, as strace sees them.
enum Strace {
    static let program = "/usr/bin/strace"

    /// Whether one process may trace another here; containers often forbid it.
    static let mayTrace =
        access(program, X_OK) == 0 && (try? ChildProcess.run(program, ["-o", "/dev/null", "/bin/true"])) != nil

    /// Runs `ncloud-kms-rpc` on an empty input, and gives a line for each call of the named kinds.
    static func calls(
        _ kinds: String, of arguments: [String], environment: [String: String] = [:]
    ) async throws -> [Substring] {
        let folder = try TemporaryDirectory()
        let trace = folder.path("trace")
        _ = try await ServiceProcess.run(
            program,
            arguments: ["-f", "-o", trace, "-e", "trace=\(kinds)", BuiltProducts.path(of: "ncloud-kms-rpc")]
                + arguments, environment: environment
        ) { process in
            process.closeInput()
            return await process.rest()
        }
        return try contents(of: trace).split(separator: "\n")
    }
}
