import KMSJSONRPC
import NCloudKMS

/// Translates the client's errors into the protocol's; the only place that knows both.
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
            isRetryable: error.isRetryable, details: details)
    }

    /// A parameter that the client refused without a request to the service.
    package init(_ invalid: InvalidValue) {
        self = .invalidParams(invalid.name, invalid.problem)
    }

    /// Why there is no verdict on a signature.
    package init(_ failure: SignatureFailure) {
        switch failure {
        case .key(let error): self.init(error)
        case .invalid(let invalid): self.init(invalid)
        case .internalFault(let reason): self = .internalError(reason)
        }
    }
}
