import KMSPlatform
import KMSPublicKeys

/// A signature to verify, and the key to verify it with.
public struct SignatureQuery: Sendable {
    /// The key to verify the signature with.
    public var key: PublicKeyQuery
    /// The bytes of the signature.
    public var signature: [UInt8]
    package let rule: SignatureRule

    /// Creates a query.
    ///
    /// - Parameters:
    ///   - keyTag: the key to verify the signature with.
    ///   - version: the version of the key; nil for the version that the signature names, or otherwise the latest.
    ///   - signature: the signature, which may name the version of the key.
    ///   - message: the message, or its digest, computed with the algorithm's hash.
    ///   - algorithm: the algorithm that made the signature.
    ///   - encoding: the form of an ECDSA signature; ignored for RSA.
    ///   - maxAge: the maximum age of the key; nil for the cache's time to live.
    ///   - timeout: the maximum duration of the call.
    /// - Throws: `InvalidValue` named `signature`, if the signature names a version other than `version`.
    public init(
        keyTag: KeyTag, version: KeyVersion? = nil, message: SignedMessage, signature: ServiceSignature,
        algorithm: SignatureAlgorithm, encoding: SignatureEncoding = .der, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) throws(InvalidValue) {
        try self.init(
            keyTag: keyTag, version: version, signature: signature,
            rule: .algorithm(algorithm, encoding: encoding, of: message), maxAge: maxAge, timeout: timeout)
    }

    /// Whether the signature was made with a key.
    ///
    /// - Throws: `KMSError.Code.invalidArgument` if the algorithm does not fit the key, or the digest does not fit the
    ///   algorithm.
    public func isValid(by key: PublicKey) throws(KMSError) -> Bool {
        do {
            return try rule.accepts(signature, by: key)
        } catch {
            throw KMSError(SignatureFailure(error), keyTag: self.key.keyTag)
        }
    }

    /// - Parameters:
    ///   - version: the version of the key; not needed if the signature names it.
    ///   - maxAge: the maximum age of the key; nil for the cache's time to live.
    /// - Throws: `InvalidValue` named `signature`, if the signature names a version other than `version`.
    package init(
        keyTag: KeyTag, version: KeyVersion?, signature: ServiceSignature, rule: SignatureRule,
        maxAge: Duration? = nil, timeout: Duration = PublicKeyQuery.defaultTimeout
    ) throws(InvalidValue) {
        let key = PublicKeyQuery(
            keyTag: keyTag, version: try signature.version(requested: version), maxAge: maxAge, timeout: timeout)
        self.init(key: key, signature: signature.bytes, rule: rule)
    }

    /// - Parameter key: of the version that the signature names, if it names one.
    package init(key: PublicKeyQuery, signature: [UInt8], rule: SignatureRule) {
        self.key = key
        self.signature = signature
        self.rule = rule
    }
}

/// What makes a signature valid.
package enum SignatureRule: Sendable {
    /// It was made by this algorithm, which must fit the key.
    case algorithm(SignatureAlgorithm, encoding: SignatureEncoding = .der, of: SignedMessage)
    /// It was made by any algorithm for the key's type: callers of some protocols don't name one.
    case anyAlgorithm(digest: [UInt8], by: HashFunction)

    /// - Throws: if the algorithm does not fit the key, or the digest does not fit the algorithm.
    func accepts(_ signature: [UInt8], by key: PublicKey) throws(VerificationError) -> Bool {
        switch self {
        case .algorithm(let algorithm, let encoding, let message):
            try key.verify(signature: signature, algorithm: algorithm, encoding: encoding, message: message)
        case .anyAlgorithm(let digest, let hash):
            try key.verifyByAnyAlgorithm(signature: signature, digest: digest, hash: hash)
        }
    }
}

/// A signature as text: Base64, or the service's own form `ncpkms:vN:` and Base64, whose `N` is the version of the key
/// that signed.
public struct ServiceSignature: Hashable, Sendable {
    /// The signature itself.
    public let bytes: [UInt8]
    /// The version of the key that signed; nil if the text does not say it.
    public let version: KeyVersion?

    private static let prefix = "ncpkms:"

    /// Whether a text begins like the service's own form, even if it is malformed.
    package static func hasServicePrefix(_ text: String) -> Bool { text.hasPrefix(prefix) }

    /// Reads a signature.
    ///
    /// - Parameter text: without white space; Base64 of the standard alphabet, padded.
    /// - Throws: `InvalidValue` named `signature`, without any of its text.
    public init(_ text: String) throws(InvalidValue) {
        try self.init(text, decoding: Base64.decode)
    }

    /// - Parameter decode: reads the Base64.
    package init(_ text: String, decoding decode: (String) -> [UInt8]?) throws(InvalidValue) {
        var base64 = Substring(text)
        if Self.hasServicePrefix(text) {
            let parts = text.dropFirst(Self.prefix.count).split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].hasPrefix("v"), let version = KeyVersion(digits: parts[0].dropFirst())
            else {
                throw Self.invalid("must have the form \"ncpkms:vN:BASE64\" with N from 1 to 100")
            }
            self.version = version
            base64 = parts[1]
        } else {
            version = nil
        }
        guard let bytes = decode(String(base64)) else {
            throw Self.invalid("must be standard Base64, with padding")
        }
        self.bytes = bytes
    }

    /// Creates a signature from bytes.
    ///
    /// - Parameters:
    ///   - bytes: the signature.
    ///   - version: the version of the key that signed; nil if it is not known.
    public init(bytes: [UInt8], version: KeyVersion? = nil) {
        self.bytes = bytes
        self.version = version
    }

    /// The version of the key to verify with; nil for the latest.
    ///
    /// - Parameter requested: the version that the caller names.
    /// - Throws: `InvalidValue` named `signature`, if the signature names another version.
    package func version(requested: KeyVersion?) throws(InvalidValue) -> KeyVersion? {
        if let requested, let version, requested != version {
            throw Self.invalid(
                "was made with version \(version) of the key, but version \(requested) was requested")
        }
        return requested ?? version
    }

    private static func invalid(_ problem: String) -> InvalidValue { InvalidValue("signature", problem) }
}

/// Whether a signature is valid.
public struct SignatureVerdict: Sendable {
    /// Whether the key made the signature over the message.
    public let isValid: Bool
    /// The key that was used, and where it came from.
    public let key: PublicKeyAnswer

    /// Creates a verdict like a client's, for fakes of `PublicKeyProvider` in tests.
    public init(isValid: Bool, key: PublicKeyAnswer) {
        self.isValid = isValid
        self.key = key
    }
}

/// Why there is no verdict.
package enum SignatureFailure: Error, Sendable {
    /// There is no key.
    case key(KMSError)
    /// The key and the algorithm, or the algorithm and the digest, don't match: named `algorithm` or `digest`.
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

extension KMSError {
    /// The same failure, for callers that handle only `KMSError`.
    init(_ failure: SignatureFailure, keyTag: KeyTag) {
        switch failure {
        case .key(let error): self = error
        case .invalid(let invalid): self = KMSError(invalid).about(keyTag)
        case .internalFault(let reason): self.init(.internalError, "\(reason).", keyTag: keyTag)
        }
    }

    /// An unusable value is an invalid argument of the call.
    init(_ invalid: InvalidValue) {
        self.init(.invalidArgument, "\(invalid).", reason: invalid.name)
    }
}
