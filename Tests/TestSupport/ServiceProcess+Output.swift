import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

extension ServiceProcess {
    /// Runs a program to its end on an input that is complete from the start, and gives every byte of its stdout.
    ///
    /// - Parameter environment: as for `run`.
    package static func output(
        _ program: String = "ncloud-kms-rpc", of arguments: [String], input: [UInt8] = [],
        environment: [String: String] = [:]
    ) async throws -> Outcome<[UInt8]> {
        let run = try await Subprocess.run(
            .path(FilePath(BuiltProducts.path(of: program))), arguments: Arguments(arguments),
            environment: .custom(variables(environment)), input: .array(input), output: .bytes(limit: 16 << 20),
            error: .string(limit: 1 << 20))
        let status =
            switch run.terminationStatus {
            case .exited(let code): Int(code)
            case .signaled(let signal): -Int(signal)
            }
        return Outcome(result: run.standardOutput, status: status, log: run.standardError)
    }
}
