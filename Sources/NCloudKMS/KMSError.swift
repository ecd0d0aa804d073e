import KMSPlatform

/// Why a call failed. The codes, their names and which of them are worth another try are the contract of
/// `protocol/`, section Errors; the sentence in `message` is for people and may change.
///
/// No secret, signature or token is ever in it. `kmsCode` and `kmsMessage` are text of the service, each at most
/// `ServiceText.maximumBytes` long and otherwise as it was sent: escape control characters before printing.
public struct KMSError: Error, Hashable, Sendable {
    /// What kind of failure it is. The raw values are the numbers of `protocol/`, section Errors, save the first.
    public enum Code: Int, CaseIterable, Sendable {
        /// The caller gave up. A wire has a number of its own for that.
        case cancelled = 1000
        case credentialsUnavailable = 1001
        case authenticationFailed = 1002
        case permissionDenied = 1003
        case keyNotFound = 1004
        case keyUnusable = 1005
        case rateLimited = 1006
        case quotaExceeded = 1007
        case serviceUnavailable = 1008
        case deadlineExceeded = 1009
        case invalidServiceResponse = 1010
        case untrustedService = 1011
        case shuttingDown = 1012
        case requestRejected = 1013

        /// The name that `error.data.type` carries.
        public var typeName: String {
            switch self {
            case .cancelled: "Cancelled"
            case .credentialsUnavailable: "CredentialsUnavailable"
            case .authenticationFailed: "AuthenticationFailed"
            case .permissionDenied: "PermissionDenied"
            case .keyNotFound: "KeyNotFound"
            case .keyUnusable: "KeyUnusable"
            case .rateLimited: "RateLimited"
            case .quotaExceeded: "QuotaExceeded"
            case .serviceUnavailable: "ServiceUnavailable"
            case .deadlineExceeded: "DeadlineExceeded"
            case .invalidServiceResponse: "InvalidServiceResponse"
            case .untrustedService: "UntrustedService"
            case .shuttingDown: "ShuttingDown"
            case .requestRejected: "RequestRejected"
            }
        }

        /// Whether the same call may succeed later without anybody changing anything, as a rule; see
        /// `KMSError.retryable`.
        public var isRetryable: Bool {
            switch self {
            case .rateLimited, .serviceUnavailable, .deadlineExceeded, .shuttingDown: true
            default: false
            }
        }

        /// Whether an answer of the past may stand in for this failure: the service could not be asked, as opposed
        /// to having refused.
        package var isUnavailability: Bool {
            switch self {
            case .rateLimited, .serviceUnavailable, .deadlineExceeded: true
            default: false
            }
        }
    }

    public let code: Code

    /// One sentence: what happened and what to do about it.
    public package(set) var message: String

    /// How long to wait before another try, where that is known.
    public package(set) var retryAfter: Duration?

    /// HTTP requests made for this call; nil if it never came to that.
    public package(set) var attempts: Int?

    /// The status of the last answer, if there was one.
    public package(set) var httpStatus: Int?

    /// The service's own code, as text even where it sent a number.
    public package(set) var kmsCode: String?

    /// The service's own words.
    public package(set) var kmsMessage: String?

    /// What the service calls the last request; its support asks for it.
    public package(set) var requestID: String?

    public package(set) var keyTag: String?

    /// A short word for programs: why no further attempt was made (`RetryStop`), or which check failed.
    public package(set) var reason: String?

    /// Whether the same call may succeed later without anybody changing anything: as a rule a property of the code. An
    /// unavailable service is not worth another call where it is a proxy that wants a password, or a name that can't exist.
    public package(set) var retryable: Bool

    package init(_ code: Code, _ message: String, reason: String? = nil, retryAfter: Duration? = nil) {
        self.code = code
        retryable = code.isRetryable
        self.message = message
        self.reason = reason
        self.retryAfter = retryAfter
    }

    func about(_ keyTag: KeyTag) -> KMSError {
        var error = self
        error.keyTag = keyTag.text
        return error
    }
}

extension KMSError {
    /// Something that is known beside the sentence.
    package struct Detail: Sendable, Equatable {
        package enum Value: Sendable, Equatable {
            case string(String)
            case integer(Int)
        }

        /// As `protocol/` calls it.
        package let name: String
        package let value: Value

        package init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// All that is known, in the order of `protocol/`.
    package var details: [Detail] {
        let strings = [
            ("kmsCode", kmsCode), ("kmsMessage", kmsMessage), ("requestId", requestID), ("keyTag", keyTag),
            ("reason", reason),
        ]
        // Rounded up: who waits exactly that long must not be too early.
        let retryAfter = self.retryAfter.map { Int($0.millisecondsRoundedUp) }
        let integers = [("retryAfterMs", retryAfter), ("attempts", attempts), ("httpStatus", httpStatus)]
        return integers.compactMap { name, value in value.map { Detail(name, .integer($0)) } }
            + strings.compactMap { name, value in value.map { Detail(name, .string($0)) } }
    }
}

extension KMSError: CustomStringConvertible {
    /// The type, the number and the sentence.
    public var description: String { "\(code.typeName) (\(code.rawValue)): \(message)" }
}

/// A value from outside that can't be used: a parameter, a flag, an environment variable.
public struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which one, as the parameter or the configuration entry is called: `keyTag`, `endpoint`.
    public let name: String

    /// What is wrong and what would be right, as the rest of a sentence that begins with the name: "must be …".
    public let problem: String

    public init(_ name: String, _ problem: String) {
        self.name = name
        self.problem = problem
    }

    public var description: String { "\(name) \(problem)" }
}
