import KMSEmulator
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
        let result = try await Subprocess.run(
            .path(FilePath(path)), arguments: Arguments(arguments),
            environment: .inherit.updating(changes(environment)),
            input: .string(input), output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
        return Result(
            status: status(result.terminationStatus), output: result.standardOutput,
            errors: result.standardError)
    }

    /// Runs the emulator while `body` reads its lines.
    ///
    /// - Returns: its status.
    static func converse(
        _ arguments: [String], environment: [String: String?] = [:], through wrapper: [String] = [],
        _ body: (pid_t, inout Lines) async throws -> Void
    ) async throws -> Int {
        let words = wrapper + [emulator] + arguments
        let result = try await Subprocess.run(
            .path(FilePath(words[0])), arguments: Arguments(Array(words.dropFirst())),
            environment: .inherit.updating(changes(environment)), input: .none, output: .sequence, error: .discarded
        ) { execution in
            var lines = Lines(execution.standardOutput)
            do {
                try await body(execution.processIdentifier.value, &lines)
            } catch {
                kill(execution.processIdentifier.value, SIGKILL)
                throw error
            }
        }
        return status(result.terminationStatus)
    }

    /// Nil removes a variable.
    private static func changes(_ environment: [String: String?]) -> [Environment.Key: String?] {
        var changes: [Environment.Key: String?] = [:]
        for (name, value) in environment { changes.updateValue(value, forKey: Environment.Key(stringLiteral: name)) }
        return changes
    }

    static func status(_ status: TerminationStatus) -> Int {
        switch status {
        case .exited(let code): Int(code)
        case .signaled(let signal): -Int(signal)
        }
    }
}

/// The lines of a program's output, as they come.
struct Lines {
    private var iterator: SubprocessOutputSequence.AsyncIterator
    private var pending: [UInt8] = []

    init(_ output: SubprocessOutputSequence) { iterator = output.makeAsyncIterator() }

    mutating func next() async throws -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                defer { pending.removeSubrange(...end) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            guard let chunk = try await iterator.next() else { return nil }
            chunk.withUnsafeBytes { pending += $0 }
        }
    }
}

/// Whether this machine can talk to itself over IPv6, which containers often can't.
let hasIPv6: Bool = {
    guard let emulator = try? Emulator(.init(usesTLS: false, address: .loopback6)) else { return false }
    emulator.stop()
    return true
}()
