import KMSPlatform
import Subprocess
import KMSTestSupport

#if canImport(System)
import System
#else
import SystemPackage
#endif

@testable import KMSEmulator

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
        let result = try await Subprocess.run(
            .path(FilePath(path)), arguments: Arguments(arguments),
            environment: .inherit.updating(changes(environment)),
            input: .string(input), output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
        return Result(
            status: ServiceProcess.status(result.terminationStatus), output: result.standardOutput,
            errors: result.standardError)
    }

    /// Runs the emulator while `body` talks to it.
    ///
    /// - Parameter environment: as `ServiceProcess.run` takes it.
    /// - Returns: its status.
    static func converse(
        _ arguments: [String], environment: [String: String] = [:], _ body: (ServiceProcess) async throws -> Void
    ) async throws -> Int {
        try await ServiceProcess.run(
            "ncloud-kms-emulator", arguments: arguments, environment: environment, body: body
        ).status
    }

    /// Nil removes a variable.
    private static func changes(_ environment: [String: String?]) -> [Environment.Key: String?] {
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment { changes.updateValue(value, forKey: Environment.Key(stringLiteral: name)) }
        return changes
    }
}

/// Whether this machine can talk to itself over IPv6, which containers often can't.
let hasIPv6: Bool = {
    guard let emulator = try? Emulator(.init(usesTLS: false, address: .loopback6)) else { return false }
    emulator.stop()
    return true
}()
