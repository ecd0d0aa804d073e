import KMSJSONRPC
import NCloudKMS

/// The client's errors as the wire gives them; the one place where the two meet.
extension RPCError {
    package init(_ error: KMSError) {
        guard error.code != .cancelled else {
            self = .requestCancelled
            return
        }
        let details = error.details.map { detail in
            switch detail.value {
            case .string(let string): Member(detail.name, .string(string))
            case .integer(let integer): Member(detail.name, .integer(integer))
            }
        }
        self.init(
            code: error.code.rawValue, type: error.code.typeName, message: error.message,
            isRetryable: error.retryable, details: details)
    }

    /// A parameter that the client refused before it asked anybody.
    package init(_ invalid: InvalidValue) {
        self = .invalidParams(invalid.name, invalid.problem)
    }

    /// Why a signature has no verdict.
    package init(_ failure: SignatureFailure) {
        switch failure {
        case .key(let error): self.init(error)
        case .invalid(let invalid): self.init(invalid)
        case .internalFault(let reason): self = .internalError(reason)
        }
    }
}
