import KMSPublicKeys

@_exported import enum KMSPublicKeys.Curve
@_exported import class KMSPublicKeys.PublicKey
@_exported import enum KMSPublicKeys.PublicKeyError
@_exported import enum KMSPublicKeys.SignatureAlgorithm
@_exported import enum KMSPublicKeys.SignatureEncoding
@_exported import enum KMSPublicKeys.SignedMessage
@_exported import enum KMSPublicKeys.VerificationError

/// A source of public keys that also verifies signatures with them: a `KMSClient`, or a fake in your tests.
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
/// For tests over a real connection, the product `NCloudKMSTesting` has an emulator of the service.
public protocol PublicKeyProvider: Sendable {
    /// Returns the key that a query asks for.
    func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer

    /// Verifies the signature of a query. The default implementation uses the key that `publicKey` returns.
    ///
    /// - Returns: the verdict; a malformed signature is not valid.
    /// - Throws: `KMSError` if there is no key, with the code `invalidArgument` if the algorithm does not fit the key or the
    ///   digest.
    func verify(_ query: SignatureQuery) async throws(KMSError) -> SignatureVerdict
}

extension PublicKeyProvider {
    /// Returns a public key.
    ///
    /// - Parameters:
    ///   - keyTag: the key.
    ///   - version: its version; nil for the latest.
    ///   - maxAge: the maximum age of the key, from the start of the request that fetched it; with zero, the key always
    ///     comes from the service. Nil, and any larger value, means the cache's time to live.
    ///   - timeout: the maximum duration of the call, including waiting and retries.
    /// - Returns: the key, its source and its age.
    /// - Throws: `KMSError`; `isRetryable` says whether the same call may succeed later without a change.
    public func publicKey(
        for keyTag: KeyTag, version: KeyVersion? = nil, maxAge: Duration? = nil,
        timeout: Duration = PublicKeyQuery.defaultTimeout
    ) async throws(KMSError) -> PublicKeyAnswer {
        try await publicKey(PublicKeyQuery(keyTag: keyTag, version: version, maxAge: maxAge, timeout: timeout))
    }

    /// Verifies a signature over a message.
    ///
    /// ```swift
    /// let verdict = try await client.verify(
    ///     ServiceSignature("ncpkms:v1:…"), of: .data(message), by: KeyTag("…"), algorithm: .es256)
    /// guard verdict.isValid else { … }
    /// ```
    ///
    /// - Parameters:
    ///   - signature: bytes, Base64, or the service's own form, which names the version of the key.
    ///   - message: the message, or its digest, computed with the algorithm's hash.
    ///   - keyTag: the key to verify the signature with.
    ///   - version: its version; nil for the version that the signature names, or otherwise the latest.
    ///   - algorithm: the algorithm that made the signature. Don't take it from the signed data.
    ///   - encoding: the form of an ECDSA signature; ignored for RSA.
    ///   - maxAge: the maximum age of the key; nil for the cache's time to live.
    ///   - timeout: the maximum duration of the call, including waiting and retries.
    /// - Throws: `KMSError` if there is no key, with the code `invalidArgument` if the arguments don't fit the key or each
    ///   other.
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

    /// Verifies with the key that `publicKey` returns, and does not retry with another.
    public func verify(_ query: SignatureQuery) async throws(KMSError) -> SignatureVerdict {
        let answer = try await publicKey(query.key)
        return SignatureVerdict(isValid: try query.isValid(by: answer.key), key: answer)
    }
}
