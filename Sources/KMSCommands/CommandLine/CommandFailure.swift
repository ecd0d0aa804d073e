import KMSJSON
import NCloudKMS
import KMSPlatform

/// Why a command has no answer: one line for stderr, and the status of the process.
package struct CommandFailure: Error, Sendable, Equatable {
    package let status: ExitStatus
    /// For people.
    package let line: String
    /// For programs.
    let error: CommandError

    /// The reader of the output has closed its end.
    private(set) var isClosedReader = false

    /// - Parameter line: in place of the error's own.
    private init(_ status: ExitStatus, _ error: CommandError, line: String? = nil) {
        self.status = status
        // It may repeat an argument or the name of a file, and these may hold anything.
        self.line = LogFormat.escapingControls(line ?? error.line)
        self.error = error
    }

    init(_ error: KMSError) {
        self.init(ExitStatus(error.code), CommandError(error))
    }

    package init(_ error: ConfigurationError) {
        self.init(error.isUsage ? .usage : .configuration, CommandError(error), line: error.message)
    }

    /// A value of the command line that can't be used, or one of what stands in for it.
    init(_ invalid: InvalidValue) {
        self.init(.usage, CommandError(invalid))
    }

    init(_ failure: SignatureFailure) {
        switch failure {
        case .key(let error): self.init(error)
        case .invalid(let invalid): self.init(invalid)
        case .internalFault(let reason): self = .internalFault(reason)
        }
    }

    /// An error of the client, of a verification, or of the values that they are given.
    init(of error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as KMSError: self.init(error)
        case let error as SignatureFailure: self.init(error)
        case let error as InvalidValue: self.init(error)
        default: self = .internalFault("\(error)")
        }
    }

    /// The command line, or what stands in for it, is wrong.
    package static func usage(_ message: String) -> CommandFailure {
        CommandFailure(ConfigurationError(message, isUsage: true))
    }

    /// There is no answer, though nothing is wrong with the program or how it was called.
    static func undecided(_ message: String) -> CommandFailure {
        CommandFailure(.undecided, CommandError(.invalidParams, message), line: message)
    }

    /// - Parameter target: what could not be written, as the user knows it.
    package static func output(_ target: String, _ problem: PlatformError) -> CommandFailure {
        let message = "\(target): \(problem)"
        var failure = CommandFailure(.output, CommandError(.internalError, message), line: message)
        failure.isClosedReader = problem.errorNumber == EPIPE
        return failure
    }

    /// A fault of ours.
    package static func internalFault(_ reason: String) -> CommandFailure {
        CommandFailure(.internalFault, CommandError(internalFault: reason))
    }

    /// The same for `verify`, which promises that all that keeps it from a verdict has one status, save for a fault of
    /// ours.
    var withoutVerdict: CommandFailure {
        CommandFailure(status == .internalFault ? status : .undecided, error, line: line)
    }

    /// `{"error": …}` on one line.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.object { $0.member("error", error) }
        return json.bytes
    }
}

/// An error as programs read it: with the members, the numbers and the names of an answer of the service.
struct CommandError: Sendable, Equatable {
    /// The errors that are not the client's, as JSON-RPC 2.0 numbers them.
    enum Code: Int, Sendable {
        /// What was given can't be used.
        case invalidParams = -32602
        case internalError = -32603

        var typeName: String {
            switch self {
            case .invalidParams: "InvalidParams"
            case .internalError: "InternalError"
            }
        }
    }

    let code: Int
    let type: String
    let message: String
    let isRetryable: Bool
    let details: [KMSError.Detail]

    init(_ error: KMSError) {
        code = error.code.rawValue
        type = error.code.typeName
        message = error.message
        isRetryable = error.retryable
        details = error.details
    }

    init(_ error: ConfigurationError) {
        self.init(.invalidParams, error.message, [KMSError.Detail("reason", .string(error.message))])
    }

    init(_ invalid: InvalidValue) {
        self.init(
            .invalidParams, "\(invalid).",
            [
                KMSError.Detail("parameter", .string(invalid.name)),
                KMSError.Detail("reason", .string(invalid.problem)),
            ])
    }

    fileprivate init(internalFault reason: String) {
        self.init(
            .internalError, "Something that should not happen happened; please report it: \(reason).",
            [KMSError.Detail("reason", .string(reason))])
    }

    fileprivate init(_ code: Code, _ message: String, _ details: [KMSError.Detail] = []) {
        self.code = code.rawValue
        type = code.typeName
        self.message = message
        isRetryable = false
        self.details = details
    }

    /// The error on one line for people: its type, its number, its sentence, and what else is known.
    var line: String {
        // A sentence about a value holds all that is known of it.
        let details = code == Code.invalidParams.rawValue ? [] : details
        let fields = details.map { detail in
            switch detail.value {
            case .string(let text): " \(detail.name)=\(LogFormat.field(text))"
            case .integer(let number): " \(detail.name)=\(number)"
            }
        }
        return LogFormat.escapingControls("\(type) (\(code)): \(message)\(fields.joined())")
    }
}

extension CommandError: JSONWritable {
    func write(to json: inout JSONWriter) {
        json.object { error in
            error.member("code", code)
            error.member("message", message)
            error.member("data") { data in
                data.object { data in
                    data.member("type", type)
                    data.member("retryable", isRetryable)
                    for detail in details {
                        switch detail.value {
                        case .string(let string): data.member(named: detail.name, string)
                        case .integer(let integer): data.member(named: detail.name, integer)
                        }
                    }
                }
            }
        }
    }
}
