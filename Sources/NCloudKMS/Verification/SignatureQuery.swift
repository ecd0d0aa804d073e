import KMSPlatform
import KMSPublicKeys

/// A signature to be verified, and the key to do it with.
package struct SignatureQuery: Sendable {
    package var key: PublicKeyQuery
    package var signature: [UInt8]
    package var rule: SignatureRule

    /// - Parameters:
    ///   - version: of the key; a signature that names its version needs none.
    ///   - maxAge: how old the key may be; nil leaves it to the client's cache.
    /// - Throws: `InvalidValue` named `signature` when it names another version than the one that is asked for.
    package init(
        keyTag: KeyTag, version: KeyVersion?, signature: ServiceSignature, rule: SignatureRule,
        maxAge: Duration? = nil, timeout: Duration = PublicKeyQuery.defaultTimeout
    ) throws(InvalidValue) {
        if let version, let named = signature.version, version != named {
            throw InvalidValue("signature", "is by version \(named) of the key, but version \(version) is asked for")
        }
        key = PublicKeyQuery(
            keyTag: keyTag, version: version ?? signature.version, maxAge: maxAge, timeout: timeout)
        self.signature = signature.bytes
        self.rule = rule
    }
}

/// What makes a signature valid.
package enum SignatureRule: Sendable {
    /// It was made by this algorithm, which must fit the key.
    case algorithm(SignatureAlgorithm, encoding: SignatureEncoding = .der, of: SignedMessage)
    /// It was made by any algorithm for the key's type: callers of some protocols don't name one.
    case anyAlgorithm(digest: [UInt8], by: HashFunction)

    /// - Throws: when the algorithm does not fit the key, or the digest the algorithm.
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
package struct ServiceSignature: Equatable, Sendable {
    package let bytes: [UInt8]
    /// Nil where the text does not say it.
    package let version: KeyVersion?

    private static let prefix = "ncpkms:"

    /// Whether a text claims to be the service's own form, rightly or not.
    package static func hasServicePrefix(_ text: String) -> Bool { text.hasPrefix(prefix) }

    /// - Parameters:
    ///   - text: without white space.
    ///   - decode: reads the Base64, which is that of the standard alphabet, padded, unless somebody takes more.
    /// - Throws: `InvalidValue` named `signature`, without any of its text.
    package init(
        _ text: String, decoding decode: (String) -> [UInt8]? = Base64.decode
    ) throws(InvalidValue) {
        var base64 = Substring(text)
        if Self.hasServicePrefix(text) {
            let parts = text.dropFirst(Self.prefix.count).split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].hasPrefix("v"), let version = Self.version(parts[0].dropFirst()) else {
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

    package init(bytes: [UInt8], version: KeyVersion?) {
        self.bytes = bytes
        self.version = version
    }

    /// A decimal number as the service writes it: digits alone, none of them a leading zero.
    private static func version(_ digits: Substring) -> KeyVersion? {
        guard let number = Int(digits), String(number) == digits else { return nil }
        return try? KeyVersion(number)
    }

    private static func invalid(_ problem: String) -> InvalidValue { InvalidValue("signature", problem) }
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
