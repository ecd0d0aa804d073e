import KMSJSON
import KMSPlatform

/// An error of the protocol: `error.code` and `error.data.type` are stable, the message is for people
/// (protocol/README.md, "Errors").
public struct RPCError: Error, Sendable, Equatable {
    /// A value in `error.data`.
    public enum Detail: Sendable, Equatable {
        case string(String)
        case integer(Int)
        case strings([String])
    }

    /// A further member of `error.data`.
    public struct Member: Sendable, Equatable {
        public let name: String
        public let value: Detail

        public init(_ name: String, _ value: Detail) {
            self.name = name
            self.value = value
        }
    }

    /// `error.code`.
    public let code: Int
    /// `error.data.type`: the name of the code.
    public let type: String
    /// One sentence that says what happened and what to do.
    public let message: String
    /// Whether the same request may succeed later.
    public let isRetryable: Bool
    /// Further members of `error.data`, in order.
    public var details: [Member]

    public init(code: Int, type: String, message: String, isRetryable: Bool = false, details: [Member] = []) {
        self.code = code
        self.type = type
        self.message = message
        self.isRetryable = isRetryable
        self.details = details
    }
}

extension RPCError {
    /// The errors of the protocol itself; methods add their own.
    package enum Code: Int, CaseIterable, Sendable {
        case parseError = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParams = -32602
        case internalError = -32603
        /// The Language Server Protocol's number.
        case requestCancelled = -32800
        case shuttingDown = 1012

        /// The value of `error.data.type`.
        package var typeName: String {
            switch self {
            case .parseError: "ParseError"
            case .invalidRequest: "InvalidRequest"
            case .methodNotFound: "MethodNotFound"
            case .invalidParams: "InvalidParams"
            case .internalError: "InternalError"
            case .requestCancelled: "RequestCancelled"
            case .shuttingDown: "ShuttingDown"
            }
        }
    }

    private init(_ code: Code, _ message: String, isRetryable: Bool = false, details: [Member] = []) {
        self.init(
            code: code.rawValue, type: code.typeName, message: message, isRetryable: isRetryable, details: details)
    }

    /// The text is not JSON (JSON-RPC 2.0, section 5.1).
    public static func parseError(_ error: JSONError) -> RPCError {
        RPCError(
            .parseError, "Not valid JSON: \(error); send one JSON text per message.",
            details: [Member("reason", .string("\(error)"))])
    }

    /// The frame around the text can't be read, and so nothing after it can be read either.
    public static func badFrame(_ reason: String) -> RPCError {
        RPCError(
            .parseError, "Invalid frame: \(reason). Nothing after it can be read.",
            details: [Member("reason", .string(reason))])
    }

    /// The text is JSON, but not a valid request.
    public static func invalidRequest(_ reason: String) -> RPCError {
        RPCError(
            .invalidRequest, "Not a valid JSON-RPC 2.0 request: \(reason).",
            details: [Member("reason", .string(reason))])
    }

    /// - Parameters:
    ///   - method: the name in the request.
    ///   - advice: where to look, as the end of a sentence.
    public static func methodNotFound(
        _ method: String, advice: String = "rpc.discover lists the methods"
    ) -> RPCError {
        RPCError(
            .methodNotFound, "Unknown method; \(advice).",
            details: [Member("reason", .string(method.excerpt))])
    }

    /// - Parameters:
    ///   - parameter: the name of one of the method's parameters; nil if the parameters as a whole are wrong.
    ///   - reason: the rest of a sentence that begins with the name.
    public static func invalidParams(_ parameter: String?, _ reason: String) -> RPCError {
        var details: [Member] = []
        if let parameter { details.append(Member("parameter", .string(parameter))) }
        details.append(Member("reason", .string(reason)))
        return RPCError(
            .invalidParams, "\(parameter ?? "params") \(reason).", details: details)
    }

    /// - Parameters:
    ///   - name: the name in the request.
    ///   - known: the names of the method's parameters.
    public static func unknownParameter(_ name: String, known: [String]) -> RPCError {
        let list = known.isEmpty ? "none" : known.joined(separator: ", ")
        return RPCError(
            .invalidParams, "Unknown parameter in params; the parameters of this method are: \(list).",
            details: [
                Member("parameter", .string(name.excerpt)),
                Member("reason", .string("is not a parameter of this method; its parameters are: \(list)")),
            ])
    }

    /// A fault of the program.
    public static func internalError(_ reason: String) -> RPCError {
        RPCError(
            .internalError, "Internal error; please report it: \(reason).",
            details: [Member("reason", .string(reason))])
    }

    /// Cancelled by the client; the code is the Language Server Protocol's.
    public static let requestCancelled = RPCError(
        .requestCancelled, "The request was cancelled with $/cancelRequest.")

    /// After `shutdown` or a stop, for every new request.
    public static let shuttingDown = RPCError(
        .shuttingDown, "The process is shutting down; start a new one.", isRetryable: true)
}

extension RPCError: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { error in
            error.member("code", code)
            error.member("message", message)
            error.member("data") { data in
                data.object { data in
                    data.member("type", type)
                    data.member("retryable", isRetryable)
                    for member in details {
                        switch member.value {
                        case .string(let string): data.member(named: member.name, string)
                        case .integer(let integer): data.member(named: member.name, integer)
                        case .strings(let strings):
                            data.member(named: member.name) { data in
                                data.array { array in strings.forEach { array.value($0) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
