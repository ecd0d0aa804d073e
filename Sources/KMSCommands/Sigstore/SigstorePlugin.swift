import KMSJSON
import KMSPlatform
import KMSPublicKeys
import NCloudKMS

/// The program as a KMS plugin of cosign and other clients of sigstore: they start it for each call, under another
/// name. It writes one JSON object to stdout and exits.
///
/// Each call becomes a call of the client or the verifier. Calls that don't need the service don't need a configuration
/// either.
package struct SigstorePlugin {
    /// The name of the program as a plugin: `sigstore-kms-` and the scheme of the keys' URLs.
    package static let programName = "sigstore-kms-ncloud"

    private let makeClient: () throws(CommandFailure) -> KMSClient
    private let clock: any TimeSource

    /// - Parameter makeClient: called only if the service is needed.
    package init(
        clock: any TimeSource = SystemClock(), makeClient: @escaping () throws(CommandFailure) -> KMSClient
    ) {
        self.clock = clock
        self.makeClient = makeClient
    }

    /// Executes a call. Blocks.
    ///
    /// - Parameter arguments: the command line without the program's name.
    package func answer(to arguments: [[UInt8]]) -> SigstoreAnswer {
        SigstoreAnswer(
            outcome: Result { () throws(SigstoreError) in try result(of: try SigstoreArguments(arguments)) })
    }

    private func result(of arguments: SigstoreArguments) throws(SigstoreError) -> SigstoreResult {
        let time = try SigstoreDeadline.time(for: arguments, now: clock.wallClockMilliseconds)
        let end = clock.now + time
        _ = try SigstoreKey.resource(of: arguments)
        switch arguments.method {
        case .defaultAlgorithm: return .defaultAlgorithm
        case .supportedAlgorithms: return .supportedAlgorithms
        case .signMessage:
            throw SigstoreError("signMessage is not supported: this plugin verifies signatures, and does not sign")
        case .createKey: return .key(.createKey, try existingKey(arguments, end))
        case .publicKey:
            let name = try SigstoreKey(arguments)
            let key = try publicKey(name, end).get { SigstoreError(CommandFailure($0)) }
            guard key.curve != .secp256k1 else {
                throw SigstoreError("\(name.keyTag) is a key on secp256k1, which sigstore's clients can't read")
            }
            return .key(.publicKey, key)
        case .verifySignature:
            try verify(arguments, end)
            return .valid
        }
    }

    // MARK: Keys

    private func publicKey(
        _ key: SigstoreKey, _ end: Instant
    ) throws(SigstoreError) -> Result<PublicKey, KMSError> {
        let client = try client()
        let query = PublicKeyQuery(keyTag: key.keyTag, version: key.version, timeout: end - clock.now)
        return client.waitForKeys([query])[0].map(\.key)
    }

    /// The answer to `createKey`. Keys are created in the service's console only, so this returns an existing key, as
    /// the plugins of other services do. Then cosign can write its PEM file.
    private func existingKey(_ arguments: SigstoreArguments, _ end: Instant) throws(SigstoreError) -> PublicKey {
        let name = try arguments.methodArguments.string("algorithm") ?? SigstoreAlgorithm.default.rawValue
        guard let algorithm = SigstoreAlgorithm(rawValue: name) else {
            throw SigstoreError(
                "keys for \"\(name.excerpt)\" are not supported, only for \(SigstoreAlgorithm.names); \(Self.advice)")
        }
        let wanted = try SigstoreKey(arguments)
        let key = try publicKey(wanted, end).get { error in
            let advice = error.code == .keyNotFound || error.code == .keyUnusable ? "; \(Self.advice)" : ""
            return SigstoreError("\(CommandFailure(error).line)\(advice)")
        }
        guard algorithm.fits(key) else {
            let kind = key.curve.map { "on \($0.rawValue)" } ?? "of \(key.keySize) bits"
            throw SigstoreError(
                "\(wanted.keyTag) exists, but is an \(key.keyType.rawValue) key \(kind), which \(algorithm.rawValue) "
                    + "can't use; \(Self.advice)")
        }
        return key
    }

    private static let advice = "create the key in the console of NAVER Cloud's Key Management Service"

    // MARK: Signatures

    private func verify(_ arguments: SigstoreArguments, _ end: Instant) throws(SigstoreError) {
        let key = try SigstoreKey(arguments)
        let signature = try SigstoreSignature(arguments)
        // Everything else is checked before stdin is read, which may be long.
        let version = try signature.version(requested: key.version)
        let client = try client()
        let rule = SignatureRule.anyAlgorithm(digest: try signature.digestOfMessage(until: end), by: signature.hash)
        let query = SignatureQuery(
            key: PublicKeyQuery(keyTag: key.keyTag, version: version, timeout: end - clock.now),
            signature: signature.signature.bytes, rule: rule)
        let verdict = try SignatureVerifier(client).waitForVerdict(query).get { SigstoreError(CommandFailure($0)) }
        guard verdict.isValid else { throw SigstoreError("the signature by \(key.keyTag) is not valid") }
    }

    private func client() throws(SigstoreError) -> KMSClient {
        do throws(CommandFailure) {
            return try makeClient()
        } catch {
            throw SigstoreError(error)
        }
    }
}

extension Result {
    /// The value; throws the translated error.
    fileprivate func get(_ translate: (Failure) -> SigstoreError) throws(SigstoreError) -> Success {
        switch self {
        case .success(let value): return value
        case .failure(let error): throw translate(error)
        }
    }
}
