import JSON
import JSONRPC
import NCloudKMS
import Platform

/// Why a command has no answer: one line for stderr, and the status of the process.
package struct CommandFailure: Error, Sendable, Equatable {
    package let status: ExitStatus
    /// For people.
    package let line: String
    /// The same as the wire would give it.
    package let error: RPCError

    /// The reader of the output has closed its end.
    package private(set) var isClosedReader = false

    private init(_ status: ExitStatus, _ line: String, _ error: RPCError) {
        self.status = status
        // It may repeat an argument or the name of a file, and these may hold anything.
        self.line = LogFormat.escapingControls(line)
        self.error = error
    }

    package init(_ error: RPCError) {
        self.init(ExitStatus(error), error.line, error)
    }

    package init(_ error: ConfigurationError) {
        self.init(ExitStatus(error), error.message, RPCError(error))
    }

    /// An error of the client, of a verification, or of the values that they are given.
    package init(of error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as RPCError: self.init(error)
        case let error as KMSError: self.init(RPCError(error))
        case let error as SignatureFailure: self.init(RPCError(error))
        case let error as InvalidValue: self.init(RPCError(error))
        default: self.init(RPCError.internalError("\(error)"))
        }
    }

    /// The command line, or what stands in for it, is wrong.
    package static func usage(_ message: String) -> CommandFailure {
        CommandFailure(ConfigurationError(message, isUsage: true))
    }

    /// There is no answer, though nothing is wrong with the program or how it was called.
    package static func undecided(_ message: String) -> CommandFailure {
        let error = RPCError(
            code: RPCError.Code.invalidParams.rawValue, type: RPCError.Code.invalidParams.typeName, message: message)
        return CommandFailure(.undecided, message, error)
    }

    /// - Parameter target: what could not be written, as the user knows it.
    package static func output(_ target: String, _ problem: PlatformError) -> CommandFailure {
        let message = "\(target): \(problem)"
        let error = RPCError(
            code: RPCError.Code.internalError.rawValue, type: RPCError.Code.internalError.typeName, message: message)
        var failure = CommandFailure(.output, message, error)
        failure.isClosedReader = problem.errorNumber == EPIPE
        return failure
    }

    /// A fault of ours.
    package static func internalFault(_ reason: String) -> CommandFailure {
        CommandFailure(RPCError.internalError(reason))
    }

    /// The same for `verify`, which promises that all that keeps it from a verdict has one status, save for a fault of
    /// ours.
    package var withoutVerdict: CommandFailure {
        CommandFailure(status == .internalFault ? status : .undecided, line, error)
    }

    /// `{"error": …}` with the error of the wire, on one line.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.object { $0.member("error", error) }
        return json.bytes
    }
}

extension RPCError {
    /// A mistake in the configuration as the wire would give it, which has no code for it: what was given can't be used.
    package init(_ error: ConfigurationError) {
        self.init(
            code: Code.invalidParams.rawValue, type: Code.invalidParams.typeName, message: error.message,
            details: [Member("reason", .string(error.message))])
    }
}
