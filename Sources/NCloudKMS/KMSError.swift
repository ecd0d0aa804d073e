import KMSPlatform

/// Why a call failed. The codes, their names, and which of them are retryable are part of the contract in `protocol/`,
/// section Errors. The sentence in `message` is for people and may change.
///
/// An error prints as its type, its number and its message. `localizedDescription` is the same text where the static type is
/// `KMSError`. For an `any Error`, Foundation returns only a domain and a code, because this library does not import
/// Foundation; print the error itself, `"\(error)"`.
///
/// An error never contains a secret, a signature or a token. `kmsCode` and `kmsMessage` are text from the service, each
/// at most 1,024 bytes long and otherwise unchanged: escape control characters before printing.
public struct KMSError: Error, Hashable, Sendable {
    /// The kinds of failure. The raw values are the numbers in `protocol/`, section Errors, except that of `cancelled`.
    public enum Code: Int, CaseIterable, Sendable {
        /// An argument is out of range, or does not fit the key, such as an RSA algorithm with an EC key.
        case invalidArgument = -32602
        /// A fault of this library or of OpenSSL. Please report it.
        case internalError = -32603
        /// The task was cancelled.
        case cancelled = 1000
        /// There are no credentials, or they are unusable.
        case credentialsUnavailable = 1001
        /// The service did not accept the credentials, or the signature: wrong key pair, expired token, wrong clock.
        case authenticationFailed = 1002
        /// The credentials don't grant access to this key.
        case permissionDenied = 1003
        /// The service has no key with this tag in this zone.
        case keyNotFound = 1004
        /// The key or version is disabled, does not exist, or has no public key.
        case keyUnusable = 1005
        /// The service, or the client's own rate limit, asked the caller to slow down.
        case rateLimited = 1006
        /// The API's quota is used up.
        case quotaExceeded = 1007
        /// The service or the network failed, and so did all retries.
        case serviceUnavailable = 1008
        /// The call timed out.
        case deadlineExceeded = 1009
        /// The answer was not understood, or its key failed a check.
        case invalidServiceResponse = 1010
        /// The server's certificate is not trusted.
        case untrustedService = 1011
        /// The client was shut down.
        case shuttingDown = 1012
        /// The service rejected the request for another reason.
        case requestRejected = 1013

        /// A stable name, such as `KeyNotFound`: the `type` of the JSON-RPC error.
        public var typeName: String {
            switch self {
            case .invalidArgument: "InvalidParams"
            case .internalError: "InternalError"
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

        /// Whether errors with this code are usually retryable; see `KMSError.isRetryable`.
        public var isRetryable: Bool {
            switch self {
            case .rateLimited, .serviceUnavailable, .deadlineExceeded, .shuttingDown: true
            default: false
            }
        }

        /// Whether an expired key may be used despite this failure: the service could not be reached, as opposed to
        /// having refused.
        package var isUnavailability: Bool {
            switch self {
            case .rateLimited, .serviceUnavailable, .deadlineExceeded: true
            default: false
            }
        }
    }

    /// The kind of failure.
    public let code: Code

    /// One sentence that says what happened and what to do about it.
    public package(set) var message: String

    /// How long to wait before a retry, if that is known.
    public package(set) var retryAfter: Duration?

    /// The number of HTTP requests made for this call; nil if there were none.
    public package(set) var attempts: Int?

    /// The HTTP status of the last answer, if there was one.
    public package(set) var httpStatus: Int?

    /// The service's own code, as text even if it sent a number.
    public package(set) var kmsCode: String?

    /// The service's own message.
    public package(set) var kmsMessage: String?

    /// The service's ID of the last request, which the service's support may ask for.
    public package(set) var requestID: String?

    /// The tag of the key that the call was about.
    public package(set) var keyTag: String?

    /// A short word for programs: why there was no further attempt (`RetryStop`), or which check failed.
    public package(set) var reason: String?

    /// Whether the same call may succeed later without a change. It usually follows from the code; exceptions are an
    /// unavailable service behind a proxy that requires a password, and a host name that can't exist.
    public package(set) var isRetryable: Bool

    /// Creates an error, for fakes of `PublicKeyProvider` in tests.
    ///
    /// - Parameters:
    ///   - code: the kind of failure.
    ///   - message: one sentence that says what happened and what to do about it.
    ///   - reason: a short word for programs, such as `quota`.
    ///   - retryAfter: how long to wait before a retry.
    ///   - isRetryable: whether the same call may succeed later; nil for the code's default.
    ///   - attempts: HTTP requests made for the call.
    ///   - httpStatus: the status of the last answer.
    ///   - kmsCode: the service's own code.
    ///   - kmsMessage: the service's own message.
    ///   - requestID: the service's ID of the last request.
    ///   - keyTag: the key that the call was about.
    public init(
        _ code: Code, _ message: String, reason: String? = nil, retryAfter: Duration? = nil, isRetryable: Bool? = nil,
        attempts: Int? = nil, httpStatus: Int? = nil, kmsCode: String? = nil, kmsMessage: String? = nil,
        requestID: String? = nil, keyTag: KeyTag? = nil
    ) {
        self.code = code
        self.isRetryable = isRetryable ?? code.isRetryable
        self.message = message
        self.reason = reason
        self.retryAfter = retryAfter
        self.attempts = attempts
        self.httpStatus = httpStatus
        self.kmsCode = kmsCode
        self.kmsMessage = kmsMessage
        self.requestID = requestID
        self.keyTag = keyTag?.text
    }

    func about(_ keyTag: KeyTag) -> KMSError {
        var error = self
        error.keyTag = keyTag.text
        return error
    }
}

extension KMSError {
    /// A detail of the error in addition to the sentence.
    package struct Detail: Sendable, Equatable {
        package enum Value: Sendable, Equatable {
            case string(String)
            case integer(Int)
        }

        /// Its name in `protocol/`.
        package let name: String
        package let value: Value

        package init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// All details, in the order of `protocol/`.
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

    /// The same as `description`. It replaces the property that Foundation adds to every error, wherever the static
    /// type is `KMSError`.
    public var localizedDescription: String { description }
}

/// An argument, a setting or an environment variable with an unusable value.
public struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    /// The parameter or the variable, such as `keyTag` or `NCLOUD_KMS_ENDPOINT`.
    public let name: String

    /// The problem and its solution, as the rest of a sentence that begins with the name: "must be …".
    public let problem: String

    /// - Parameters:
    ///   - name: of the parameter or the variable.
    ///   - problem: the rest of a sentence that begins with the name.
    public init(_ name: String, _ problem: String) {
        self.name = name
        self.problem = problem
    }

    /// The sentence: the name, then the problem.
    public var description: String { "\(name) \(problem)" }

    /// The same text as `description`, where the static type is `InvalidValue`; see `KMSError`.
    public var localizedDescription: String { description }
}
