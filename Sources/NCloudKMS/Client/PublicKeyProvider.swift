import KMSPublicKeys

@_exported import enum KMSPublicKeys.Curve
@_exported import class KMSPublicKeys.PublicKey
@_exported import enum KMSPublicKeys.PublicKeyError
@_exported import enum KMSPublicKeys.SignatureAlgorithm
@_exported import enum KMSPublicKeys.SignatureEncoding
@_exported import enum KMSPublicKeys.SignedMessage
@_exported import enum KMSPublicKeys.VerificationError

/// What gives public keys and verifies signatures with them. `KMSClient` does, and so can a fake in your tests:
///
/// ```swift
/// struct FakeKeys: PublicKeyProvider {
///     let key: PublicKey
///
///     func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer {
///         PublicKeyAnswer(key, keyTag: query.keyTag)
///     }
/// }
/// ```
///
/// A real service on a port of this machine is in the product `NCloudKMSTesting`.
public protocol PublicKeyProvider: Sendable {
    /// The key that a query asks for.
    func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer

    /// Whether the signature of a query is valid. By default it is verified with what `publicKey` gives.
    ///
    /// - Returns: a verdict that is not valid for every signature that is wrong, however malformed.
    /// - Throws: `KMSError` when there is no key, and `KMSError.Code.invalidArgument` when the algorithm does not fit the
    ///   key or the digest.
    func verify(_ query: SignatureQuery) async throws(KMSError) -> SignatureVerdict
}

extension PublicKeyProvider {
    /// The public key of a tag.
    ///
    /// - Parameters:
    ///   - keyTag: which key.
    ///   - version: nil for the latest.
    ///   - maxAge: how old the key may be, counted from the start of its request to the service; zero asks the service.
    ///     Nil, and anything above it, is the cache's time to live.
    ///   - timeout: how long the call may take, waiting and retries included.
    /// - Returns: the key, where it came from and how old it is.
    /// - Throws: `KMSError`; `isRetryable` says whether the same call may succeed later without a change.
    public func publicKey(
        for keyTag: KeyTag, version: KeyVersion? = nil, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) async throws(KMSError) -> PublicKeyAnswer {
        try await publicKey(PublicKeyQuery(keyTag: keyTag, version: version, maxAge: maxAge, timeout: timeout))
    }

    /// Whether a signature is one by a key over a message.
    ///
    /// ```swift
    /// let verdict = try await client.verify(
    ///     ServiceSignature("ncpkms:v1:…"), of: .data(message), by: KeyTag("…"), algorithm: .es256)
    /// guard verdict.isValid else { … }
    /// ```
    ///
    /// - Parameters:
    ///   - signature: bytes, Base64, or the service's own form, which names the version of the key.
    ///   - message: what was signed, or its digest by the algorithm's hash.
    ///   - keyTag: which key.
    ///   - version: nil for the one that the signature names, else the latest.
    ///   - algorithm: what the signature was made with.
    ///   - encoding: how an ECDSA signature is written; it means nothing for RSA.
    ///   - maxAge: how old the key may be; nil leaves it to the client's cache.
    ///   - timeout: how long the call may take, waiting and retries included.
    /// - Throws: `KMSError` when there is no key, and `KMSError.Code.invalidArgument` when the arguments don't fit the key
    ///   or each other.
    public func verify(
        _ signature: ServiceSignature, of message: SignedMessage, by keyTag: KeyTag, version: KeyVersion? = nil,
        algorithm: SignatureAlgorithm, encoding: SignatureEncoding = .der, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) async throws(KMSError) -> SignatureVerdict {
        let query: SignatureQuery
        do {
            query = try SignatureQuery(
                keyTag: keyTag, version: version, message: message, signature: signature, algorithm: algorithm,
                encoding: encoding, maxAge: maxAge, timeout: timeout)
        } catch {
            throw KMSError(error)
        }
        return try await verify(query)
    }

    /// Verifies with the key that `publicKey` gives, without a second try.
    public func verify(_ query: SignatureQuery) async throws(KMSError) -> SignatureVerdict {
        let answer = try await publicKey(query.key)
        return SignatureVerdict(isValid: try query.isValid(by: answer.key), key: answer)
    }
}
