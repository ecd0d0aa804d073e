import Platform
import Subprocess
import TestSupport

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// Real programs, run to their end.
enum Program {
    struct Result {
        /// The exit status, or minus the signal's number.
        var status: Int
        var output: String
        var errors: String
    }

    static let emulator = BuiltProducts.path(of: "ncloud-kms-emulator")

    /// - Parameter environment: nil removes a variable.
    static func run(
        _ path: String, _ arguments: [String] = [], environment: [String: String?] = [:], input: String = ""
    ) async throws -> Result {
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment { changes.updateValue(value, forKey: Environment.Key(stringLiteral: name)) }
        let result = try await Subprocess.run(
            .path(FilePath(path)), arguments: Arguments(arguments), environment: .inherit.updating(changes),
            input: .string(input), output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
        return Result(
            status: status(result.terminationStatus), output: result.standardOutput,
            errors: result.standardError)
    }

    static func status(_ status: TerminationStatus) -> Int {
        switch status {
        case .exited(let code): Int(code)
        case .signaled(let signal): -Int(signal)
        }
    }
}

/// Waits until a condition holds that another thread brings about; false when that takes absurdly long.
func eventually(_ condition: () -> Bool) async -> Bool {
    let end = SystemClock().now + .seconds(30)
    while !condition() {
        guard SystemClock().now < end else { return false }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return true
}
