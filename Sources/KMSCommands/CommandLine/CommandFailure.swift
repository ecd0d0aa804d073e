import KMSJSON
import NCloudKMS
import KMSPlatform

/// Why a command has no answer: one line for stderr, and the exit status.
package struct CommandFailure: Error, Sendable, Equatable {
    package let status: ExitStatus
    /// The error for people.
    package let line: String
    /// The error for programs.
    let error: CommandError

    /// Whether it failed because the reader of the output closed it.
    private(set) var isClosedReader = false

    /// - Parameter line: replaces the error's own line.
    private init(_ status: ExitStatus, _ error: CommandError, line: String? = nil) {
        self.status = status
        // It may repeat an argument or a file name, which can contain any character.
        self.line = LogFormat.escapingControls(line ?? error.line)
        self.error = error
    }

    init(_ error: KMSError) {
        self.init(ExitStatus(error.code), CommandError(error))
    }

    package init(_ error: ConfigurationError) {
        self.init(error.isUsage ? .usage : .configuration, CommandError(error), line: error.message)
    }

    /// An invalid value on the command line, or in the input that replaces it.
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

    /// An error of the client or of a verification, or an invalid value.
    init(of error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as KMSError: self.init(error)
        case let error as SignatureFailure: self.init(error)
        case let error as InvalidValue: self.init(error)
        default: self = .internalFault("\(error)")
        }
    }

    /// An error in the command line, or in the input that replaces it.
    package static func usage(_ message: String) -> CommandFailure {
        CommandFailure(ConfigurationError(message, isUsage: true))
    }

    /// There is no answer, although neither the program nor the call is at fault.
    static func undecided(_ message: String) -> CommandFailure {
        CommandFailure(.undecided, CommandError(.invalidParams, message), line: message)
    }

    /// - Parameter target: what could not be written, in the user's terms.
    package static func output(_ target: String, _ problem: PlatformError) -> CommandFailure {
        let message = "\(target): \(problem)"
        var failure = CommandFailure(.output, CommandError(.internalError, message), line: message)
        failure.isClosedReader = problem.errorNumber == EPIPE
        return failure
    }

    /// A fault of the program.
    package static func internalFault(_ reason: String) -> CommandFailure {
        CommandFailure(.internalFault, CommandError(internalFault: reason))
    }

    /// The same failure for `verify`, which uses one status for every reason why there is no verdict, except for a
    /// fault of the program.
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

/// An error for programs, with the members, codes and type names of the protocol's errors.
struct CommandError: Sendable, Equatable {
    /// The codes of JSON-RPC 2.0, for errors that are not the client's.
    enum Code: Int, Sendable {
        /// An argument or setting is not valid.
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
        isRetryable = error.isRetryable
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
            .internalError, "Internal error; please report it: \(reason).",
            [KMSError.Detail("reason", .string(reason))])
    }

    fileprivate init(_ code: Code, _ message: String, _ details: [KMSError.Detail] = []) {
        self.code = code.rawValue
        type = code.typeName
        self.message = message
        isRetryable = false
        self.details = details
    }

    /// The error on one line for people: type, code, message, and further details.
    var line: String {
        // The message about an invalid value already contains all details.
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
