import Platform
import PublicKeys

/// A signature to be verified, and the key to do it with.
package struct SignatureQuery: Sendable {
    package var key: PublicKeyQuery
    package var message: SignedMessage
    package var signature: [UInt8]
    package var algorithm: SignatureAlgorithm
    package var encoding: SignatureEncoding

    /// - Parameters:
    ///   - version: of the key; a signature that names its version needs none.
    ///   - maxAge: how old the key may be; nil leaves it to the client's cache.
    /// - Throws: `InvalidValue` named `signature` when it names another version than the one that is asked for.
    package init(
        keyTag: KeyTag, version: KeyVersion?, message: SignedMessage, signature: ServiceSignature,
        algorithm: SignatureAlgorithm, encoding: SignatureEncoding = .der, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) throws(InvalidValue) {
        if let version, let named = signature.version, version != named {
            throw InvalidValue("signature", "is by version \(named) of the key, but version \(version) is asked for")
        }
        key = PublicKeyQuery(
            keyTag: keyTag, version: version ?? signature.version, maxAge: maxAge, timeout: timeout)
        self.message = message
        self.signature = signature.bytes
        self.algorithm = algorithm
        self.encoding = encoding
    }
}

/// What came of it.
package struct SignatureVerdict: Sendable {
    package let isValid: Bool
    /// The key that decided, and where it came from.
    package let key: PublicKeyAnswer
}

/// Why there is no verdict.
package enum SignatureFailure: Error, Sendable {
    /// There is no key.
    case key(KMSError)
    /// The key and the algorithm, or the algorithm and the digest, don't go together: named `algorithm` or `digest`.
    case invalid(InvalidValue)
    /// OpenSSL does not work, or the system has no thread to verify on.
    case internalFault(String)

    init(_ error: VerificationError) {
        self =
            switch error {
            case .algorithmDoesNotFitKey: .invalid(InvalidValue("algorithm", "must fit the key: \(error)"))
            case .wrongDigestLength: .invalid(InvalidValue("digest", "must fit the algorithm: \(error)"))
            case .unavailable: .internalFault("\(error)")
            }
    }
}
