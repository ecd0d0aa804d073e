import CKMSOpenSSL

extension PublicKey {
    /// Whether a signature over a message was made with this key's private half.
    ///
    /// - Parameters:
    ///   - signature: the bytes of the signature.
    ///   - algorithm: the algorithm that made it; it must fit the key.
    ///   - encoding: the form of an ECDSA signature; ignored for RSA.
    ///   - message: the message, or its digest, computed with the algorithm's hash.
    /// - Returns: `false` for every signature that is not valid, however malformed.
    /// - Throws: `VerificationError`, if the algorithm does not fit the key, or the digest does not fit the algorithm.
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
        return try verify(signature, of: digest, algorithm.hash, padding: algorithm.padding, encoding: encoding)
    }

    /// Whether a signature was made with this key by any of these algorithms: RSASSA-PKCS1-v1_5, RSASSA-PSS (any salt),
    /// or ECDSA in DER. ECDSA works with any hash on any curve: if a digest is longer than the curve's order, only its
    /// leftmost bits count (FIPS 186-5, section 6.4).
    ///
    /// - Parameter digest: the digest of the message, computed with `hash`.
    /// - Returns: `false` for every signature that is not valid, and for a digest of another length.
    /// - Throws: `VerificationError.unavailable`.
    package func verifyByAnyAlgorithm(
        signature: [UInt8], digest: [UInt8], hash: HashFunction
    ) throws(VerificationError) -> Bool {
        guard digest.count == hash.digestCount else { return false }
        let paddings: [RSAPadding?] = keyType == .rsa ? [.pkcs1, .pss] : [nil]
        for padding in paddings where try verify(signature, of: digest, hash, padding: padding, encoding: .der) {
            return true
        }
        return false
    }

    /// - Parameter padding: the padding of an RSA signature; nil for ECDSA.
    private func verify(
        _ signature: [UInt8], of digest: [UInt8], _ hash: HashFunction, padding: RSAPadding?,
        encoding: SignatureEncoding
    ) throws(VerificationError) -> Bool {
        guard let context = VerificationContext(key: try preparedKey(), hash: hash, padding: padding) else {
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

    /// The signature as OpenSSL expects it, or nil if its length alone rules it out.
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

/// An `EVP_PKEY` that is freed with its last reference.
final class EVPKey: @unchecked Sendable {
    // Sendable: the key is never changed after it was made; what OpenSSL caches inside it has locks of its own.
    let pointer: OpaquePointer

    /// Takes ownership of the reference; nil for a null pointer, with OpenSSL's error queue emptied.
    init?(owning pointer: OpaquePointer?) {
        guard let pointer else {
            ERR_clear_error()
            return nil
        }
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    /// The key of a DER SubjectPublicKeyInfo. Slow (0.2 ms), so only for what needs an `EVP_PKEY`.
    convenience init?(subjectPublicKeyInfo der: [UInt8]) {
        let pointer = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var next = bytes.baseAddress
            return d2i_PUBKEY(nil, &next, bytes.count)
        }
        self.init(owning: pointer)
    }
}

/// How an RSA signature is padded (RFC 8017, section 8).
enum RSAPadding {
    case pkcs1
    /// MGF1 with the hash of the message, and a salt of any length.
    case pss
}

extension SignatureAlgorithm {
    /// Nil for ECDSA.
    fileprivate var padding: RSAPadding? {
        switch scheme {
        case .rsaPKCS1: .pkcs1
        case .rsaPSS: .pss
        case .ecdsa: nil
        }
    }
}

/// An `EVP_PKEY_CTX` that is set up to verify signatures of one algorithm by one key.
struct VerificationContext: ~Copyable {
    private let context: OpaquePointer

    /// Nil if OpenSSL refuses. The context holds a reference of its own to the key.
    ///
    /// - Parameter padding: the padding of an RSA key's signatures; nil for an EC key.
    init?(key: EVPKey, hash: HashFunction, padding: RSAPadding?) {
        guard let context = EVP_PKEY_CTX_new(key.pointer, nil) else {
            ERR_clear_error()
            return nil
        }
        guard Self.configure(context, hash, padding) else {
            EVP_PKEY_CTX_free(context)
            ERR_clear_error()
            return nil
        }
        self.context = context
    }

    deinit {
        EVP_PKEY_CTX_free(context)
    }

    private static func configure(_ context: OpaquePointer, _ hash: HashFunction, _ padding: RSAPadding?) -> Bool {
        guard EVP_PKEY_verify_init(context) == 1 else { return false }
        // For PSS this sets the hash of MGF1 as well.
        guard EVP_PKEY_CTX_set_signature_md(context, hash.algorithm) == 1 else { return false }
        switch padding {
        case .pkcs1: return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1
        case .pss:
            return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO) == 1
        case nil: return true
        }
    }

    /// - Parameters:
    ///   - signature: for ECDSA, DER. OpenSSL accepts only strict DER here: it re-encodes what it has parsed, and
    ///     compares.
    ///   - digest: must have the length of the algorithm's hash.
    func verify(_ signature: [UInt8], of digest: [UInt8]) -> Bool {
        let status = EVP_PKEY_verify(context, signature, signature.count, digest, digest.count)
        // Below 1 is "wrong" or "malformed"; each leaves its reasons in the queue.
        if status != 1 { ERR_clear_error() }
        return status == 1
    }
}

enum ECDSASignature {
    /// The DER form of `r` and `s`, which are concatenated and equally long. Any numbers are accepted: verification
    /// decides whether they are a signature.
    static func der(p1363 bytes: [UInt8]) -> [UInt8]? {
        guard let signature = ECDSA_SIG_new() else { return nil }
        defer { ECDSA_SIG_free(signature) }
        let half = bytes.count / 2
        let r = BN_bin2bn(bytes, Int32(half), nil)
        let s = Array(bytes[half...]).withUnsafeBufferPointer { BN_bin2bn($0.baseAddress, Int32($0.count), nil) }
        // Takes over both numbers, unless one is null.
        guard ECDSA_SIG_set0(signature, r, s) == 1 else {
            BN_free(r)
            BN_free(s)
            return nil
        }
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = i2d_ECDSA_SIG(signature, &encoded)
        defer { CRYPTO_free(encoded, #file, #line) }
        return count > 0 ? Array(UnsafeBufferPointer(start: encoded, count: Int(count))) : nil
    }
}
