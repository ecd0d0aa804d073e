import KMSJSON

/// Another protocol on the same connection, beside plain JSON-RPC. It is translated into calls of the same methods, which
/// don't know about it.
///
/// Each message is classified on its own. A dialect is asked about messages whose params have an object `_meta`, and
/// about those whose method the connection does not have; for other messages it costs nothing.
public protocol Dialect: Sendable {
    /// Whether a stop ends its calls without an answer, because its clients no longer read by then. Otherwise they are
    /// refused like plain calls.
    var isSilentAtStop: Bool { get }

    /// The meaning of a message in this dialect; nil if it does not belong to this dialect.
    ///
    /// Called on the connection's loop: it must not block.
    ///
    /// - Throws: the error that answers the request.
    func interpret(_ request: RawRequest) throws(RPCError) -> Interpretation?
}

/// A request or notification in the input, valid until the method that receives it returns.
public struct RawRequest {
    /// Whether it has no id, and so is never answered.
    public let isNotification: Bool
    /// A string.
    public let method: RawValue
    public let params: RawParameters?
    /// The member `_meta` of the params, if that is an object.
    public let meta: RawValue?
}

/// How a dialect interprets a message.
public enum Interpretation {
    /// There is nothing to do, and nothing to answer.
    case ignored
    /// The answer is known at once.
    case answer(Answer)
    /// A call of a method, with parameters from the dialect; its outcome is written in the dialect's form.
    case call(any Method, RawParameters?, any AnswerForm)
    /// Ends the calls of this dialect with this id, a string or a number. They are not answered.
    case cancellation(of: RawValue)
}

/// How a dialect writes the outcome of a call.
public protocol AnswerForm: Sendable {
    /// - Parameter outcome: the result, one JSON value; or the error.
    func answer(to outcome: Result<[UInt8], RPCError>) -> Answer

    /// Whether the client wants progress reports.
    var wantsProgress: Bool { get }

    /// A progress notification: one JSON-RPC message. Nil if there is nothing to send.
    func notification(of progress: CallProgress) -> [UInt8]?
}

extension AnswerForm {
    public var wantsProgress: Bool { false }

    public func notification(of progress: CallProgress) -> [UInt8]? { nil }
}

/// The progress of a call before its answer.
public struct CallProgress: Sendable, Equatable {
    /// 1 in the first report of a call, 2 in the second, and so on.
    public let number: Int
    /// The expected number of steps.
    public let total: Int
    /// What the call is doing, in a few words.
    public let message: String
}

/// The dialect in which a call was made.
struct CallDialect: Sendable {
    /// Its number among the connection's dialects.
    let number: Int
    let isSilentAtStop: Bool
    let form: any AnswerForm
}

/// The answer to a request.
public struct Answer: Sendable {
    /// The result, or the error's object: one JSON value.
    let json: [UInt8]
    /// Whether the answer has the member `error` instead of `result`.
    let isError: Bool
    /// The error to count as a failure, if any.
    let failure: RPCError?

    /// - Parameters:
    ///   - json: one JSON value.
    ///   - failure: the error that the result reports, to be counted as a failure.
    public static func result(_ json: [UInt8], reporting failure: RPCError? = nil) -> Answer {
        Answer(json: json, isError: false, failure: failure)
    }

    public static func error(_ error: RPCError) -> Answer {
        var json: [UInt8] = []
        json.append(json: error)
        return Answer(json: json, isError: true, failure: error)
    }

    /// The form of JSON-RPC itself.
    init(_ outcome: Result<[UInt8], RPCError>) {
        switch outcome {
        case .success(let json): self = .result(json)
        case .failure(let error): self = .error(error)
        }
    }

    private init(json: [UInt8], isError: Bool, failure: RPCError?) {
        self.json = json
        self.isError = isError
        self.failure = failure
    }
}
