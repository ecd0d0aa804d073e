import JSONRPC
import PublicKeys

extension RPCError {
    /// Why a signature has no verdict, as the wire gives it.
    package init(_ failure: SignatureFailure) {
        switch failure {
        case .key(let error): self.init(error)
        case .verification(let error): self.init(error)
        case .platform(let error): self = .internalError("\(error)")
        }
    }

    private init(_ error: VerificationError) {
        switch error {
        case .algorithmDoesNotFitKey: self = .invalidParams("algorithm", "must fit the key: \(error)")
        case .wrongDigestLength: self = .invalidParams("digest", "must fit the algorithm: \(error)")
        case .unavailable: self = .internalError("\(error)")
        }
    }
}
