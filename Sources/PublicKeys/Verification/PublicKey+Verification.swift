import COpenSSL

extension PublicKey {
    /// Whether a signature is one of this key's owner over a message.
    ///
    /// - Parameters:
    ///   - encoding: how an ECDSA signature is written; it means nothing for RSA.
    ///   - message: the message, or its digest by the algorithm's hash.
    /// - Returns: `false` for every signature that is not right, however malformed.
    /// - Throws: when the algorithm does not fit the key, or the digest the algorithm.
    public func verify(
        signature: [UInt8], algorithm: SignatureAlgorithm, encoding: SignatureEncoding = .der, message: SignedMessage
    ) throws(VerificationError) -> Bool {
        guard algorithm.fits(self) else {
            throw .algorithmDoesNotFitKey(algorithm, keyType: keyType, curve: curve)
        }
        let digest: [UInt8]
        switch message {
        case .data(let data): digest = algorithm.hash.digest(of: data)
        case .digest(let bytes):
            guard bytes.count == algorithm.digestCount else {
                throw .wrongDigestLength(algorithm, count: bytes.count)
            }
            digest = bytes
        }

        guard let context = VerificationContext(key: try preparedKey(), algorithm: algorithm) else {
            throw .unavailable
        }
        guard let signature = normalized(signature, encoding: encoding) else { return false }
        return context.verify(signature, of: digest)
    }

    private func preparedKey() throws(VerificationError) -> EVPKey {
        try verifyingKey.withLock { prepared throws(VerificationError) in
            if let prepared { return prepared }
            guard let key = EVPKey(subjectPublicKeyInfo: spki) else { throw .unavailable }
            prepared = key
            return key
        }
    }

    /// The signature as OpenSSL takes it, or nil if its length alone says that it is none.
    private func normalized(_ signature: [UInt8], encoding: SignatureEncoding) -> [UInt8]? {
        switch (material.numbers, encoding) {
        case (.rsa(let key), _):
            // RFC 8017, section 8: as long as the modulus. OpenSSL takes shorter ones for PSS.
            signature.count == key.modulus.count ? signature : nil
        case (.ec, .der): signature
        case (.ec(let curve, _, _), .p1363):
            signature.count == 2 * curve.coordinateCount ? ECDSASignature.der(p1363: signature) : nil
        }
    }
}
