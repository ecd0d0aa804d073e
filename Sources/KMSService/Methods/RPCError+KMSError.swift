import JSONRPC
import NCloudKMS
import Platform

extension RPCError {
    /// The client's error as the wire gives it; the one place where the two meet.
    package init(_ error: KMSError) {
        guard error.code != .cancelled else {
            self = .requestCancelled
            return
        }
        var details: [Member] = []
        func add(_ name: String, _ string: String?) {
            if let string { details.append(Member(name, .string(string))) }
        }
        func add(_ name: String, _ integer: Int?) {
            if let integer { details.append(Member(name, .integer(integer))) }
        }
        // Rounded up: a client that waits exactly so long must not be too early.
        add("retryAfterMs", error.retryAfter.map { Int($0.millisecondsRoundedUp) })
        add("attempts", error.attempts)
        add("httpStatus", error.httpStatus)
        add("kmsCode", error.kmsCode)
        add("kmsMessage", error.kmsMessage)
        add("requestId", error.requestID)
        add("keyTag", error.keyTag)
        add("reason", error.reason)
        self.init(
            code: error.code.rawValue, type: error.code.typeName, message: error.message,
            isRetryable: error.retryable, details: details)
    }

    /// A parameter that the client refused before it asked anybody.
    package init(_ invalid: InvalidValue) {
        self = .invalidParams(invalid.name, invalid.problem)
    }
}
