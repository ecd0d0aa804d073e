import KMSPlatform
import KMSPublicKeys
import NCloudKMS

/// The arguments of `verifySignature`: a signature, and the digest of the message or how to compute it.
struct SigstoreSignature {
    let signature: ServiceSignature
    let hash: HashFunction
    /// Nil: the message is on stdin.
    let digest: [UInt8]?

    init(_ arguments: SigstoreArguments) throws(SigstoreError) {
        let message = try arguments.methodOptions().member("messageOptions")
        let given = try message.bytes("digest") ?? []
        let digest = given.isEmpty ? nil : given
        var number = try message.integer("hashFunc")
        if number == nil { number = try arguments.initOptions.integer("hashFunc") }
        hash = try Self.hash(number: number ?? 0, digestCount: digest?.count)
        if let digest, digest.count != hash.digestCount {
            throw SigstoreError("digest must have the \(hash.digestCount) bytes of its hash, not \(digest.count)")
        }
        self.digest = digest
        signature = try Self.signature(arguments.methodArguments)
    }

    /// - Parameters:
    ///   - number: a `Hash` of Go's package `crypto`; 0 if the caller names no hash.
    ///   - digestCount: the length of the digest in bytes; nil without a digest.
    static func hash(number: Int, digestCount: Int?) throws(SigstoreError) -> HashFunction {
        switch (number, digestCount) {
        case (5, _): return .sha256
        case (6, _), (0, HashFunction.sha384.digestCount): return .sha384
        case (7, _), (0, HashFunction.sha512.digestCount): return .sha512
        case (0, _): return .sha256
        default:
            throw SigstoreError("hashFunc \(number) is not supported: 5 (SHA-256), 6 (SHA-384) and 7 (SHA-512) are")
        }
    }

    /// Accepts the service's form, `ncpkms:vN:BASE64`, both as it is and encoded in Base64: cosign encodes the contents
    /// of a signature file.
    private static func signature(_ verifySignature: SigstoreMember) throws(SigstoreError) -> ServiceSignature {
        guard let text = try verifySignature.string("signature"), !text.isEmpty else {
            throw SigstoreError("the signature is empty, and so not valid")
        }
        do throws(InvalidValue) {
            let signature = try ServiceSignature(text)
            guard signature.version == nil else { return signature }
            return try SignatureFile(signature.bytes).signature
        } catch {
            throw SigstoreError(error)
        }
    }

    /// The version of the key to verify with; nil for the latest.
    ///
    /// - Throws: if the signature names a version other than the requested one.
    func version(requested: KeyVersion?) throws(SigstoreError) -> KeyVersion? {
        do throws(InvalidValue) {
            return try signature.version(requested: requested)
        } catch {
            throw SigstoreError(error)
        }
    }

    /// The given digest, or the digest of stdin.
    ///
    /// - Parameter end: when to give up.
    func digestOfMessage(until end: Instant) throws(SigstoreError) -> [UInt8] {
        if let digest { return digest }
        guard var streamed = StreamedDigest(hash) else { throw SigstoreError("OpenSSL could not start a digest") }
        do throws(PlatformError) {
            try FileContents.read(descriptor: STDIN_FILENO, until: end) { streamed.update($0) }
        } catch {
            throw SigstoreError("the message on stdin can't be read: \(error)")
        }
        return streamed.finish()
    }
}
