import KMSJSON

/// Somebody else's protocol, spoken on the same connection beside JSON-RPC as it is, and translated into the same methods.
/// No method knows of it.
///
/// Messages are told apart one by one. A dialect is asked about those whose params hold an object `_meta`, and about those
/// whose method the connection does not have; so it costs other calls nothing.
public protocol Dialect: Sendable {
    /// Whether a stop ends its calls without an answer, as its clients no longer read then. Otherwise they are refused like
    /// all others.
    var isSilentAtStop: Bool { get }

    /// What a message means in this dialect; nil if it is not of this dialect.
    ///
    /// Called on the connection's loop: it must not wait.
    ///
    /// - Throws: what the request is answered with.
    func interpret(_ request: RawRequest) throws(RPCError) -> Interpretation?
}

/// A request or notification where it lies in the input, valid until the method that is given it returns.
public struct RawRequest {
    /// Whether it has no id, and so is never answered.
    public let isNotification: Bool
    /// A string.
    public let method: RawValue
    public let params: RawParameters?
    /// The member `_meta` of the params, if that is an object.
    public let meta: RawValue?
}

/// What a dialect makes of a message.
public enum Interpretation {
    /// There is nothing to do, and nothing to answer.
    case ignored
    /// The answer is at hand.
    case answer(Answer)
    /// A call of a method, with parameters of its own, whose outcome is written in a form of its own.
    case call(any Method, RawParameters?, any AnswerForm)
    /// Ends the calls of this dialect with that id, a string or a number. They are not answered.
    case cancellation(of: RawValue)
}

/// How a dialect writes what a call of a method came to.
public protocol AnswerForm: Sendable {
    /// - Parameter outcome: the result, one JSON value; or the error.
    func answer(to outcome: Result<[UInt8], RPCError>) -> Answer
}

/// The dialect that a call was made in.
struct CallDialect: Sendable {
    /// Its place among those of the connection.
    let number: Int
    let isSilentAtStop: Bool
    let form: any AnswerForm
}

/// What a request is answered with.
public struct Answer: Sendable {
    /// The result, or the object of the error: one JSON value.
    let json: [UInt8]
    /// Whether it is the member `error` of the answer, or else `result`.
    let isError: Bool
    /// What is counted as a failure.
    let failure: RPCError?

    /// - Parameters:
    ///   - json: one JSON value.
    ///   - failure: the error that the result tells of in words of its own.
    public static func result(_ json: [UInt8], tellingOf failure: RPCError? = nil) -> Answer {
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
