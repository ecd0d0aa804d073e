import KMSJSON
import KMSJSONRPC
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// `verifySignature`: whether a signature is valid, verified locally with the public key.
struct VerifySignature: Method {
    static let parameterNames = [
        "keyTag", "signature", "algorithm", "keyVersion", "data", "digest", "encoding", "maxAgeMs", "timeoutMs",
    ]

    let name = "verifySignature"
    let verifier: SignatureVerifier

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        let query = try SignatureQuery(params)
        let verification = verifier.assumeIsolated { verifier in
            verifier.verify(
                query, arrival: call.arrival, label: call.label, progress: call.fetchProgress
            ) { outcome in
                switch outcome {
                case .success(let verdict): call.succeed { $0.value(verdict) }
                case .failure(let failure): call.fail(RPCError(failure))
                }
            }
        }
        guard let verification else { return }
        call.onCancellation { [verifier] in verifier.assumeIsolated { $0.cancel(verification) } }
    }
}

extension SignatureQuery {
    /// The parsed parameters. `encoding` applies to the two numbers of an ECDSA signature; with an RSA algorithm, whose
    /// signatures are one number, either value is accepted and has no effect.
    init(_ params: RawParameters?) throws(RPCError) {
        let parameters = try Parameters(params, names: VerifySignature.parameterNames, byPosition: false)
        let keyTag = try parameters.keyTag()
        let keyVersion = try parameters.keyVersion()
        let algorithm: SignatureAlgorithm = try parameters.requiredChoice("algorithm")
        let message = try SignedMessage(parameters, algorithm: algorithm)
        let signature = try parameters.requiredString("signature")
        let encoding: SignatureEncoding = try parameters.optionalChoice("encoding") ?? .der
        let maxAge = try parameters.maxAge()
        let timeout = try parameters.timeout()
        do {
            try self.init(
                keyTag: keyTag, version: keyVersion, signature: ServiceSignature(signature),
                rule: .algorithm(algorithm, encoding: encoding, of: message), maxAge: maxAge, timeout: timeout)
        } catch {
            throw RPCError(error)
        }
    }
}

extension SignedMessage {
    /// Exactly one of `data` and `digest` must be given.
    fileprivate init(_ parameters: Parameters, algorithm: SignatureAlgorithm) throws(RPCError) {
        let data = try parameters.optionalBase64("data")
        guard let digest = try parameters.optionalBase64("digest") else {
            guard let data else { throw .invalidParams("data", "is missing; give either \"data\" or \"digest\"") }
            self = .data(data)
            return
        }
        guard data == nil else {
            throw .invalidParams("digest", "must not be combined with \"data\"; give only one of them")
        }
        guard digest.count == algorithm.digestCount else {
            throw .invalidParams(
                "digest", "must have \(algorithm.digestCount) bytes, the length of \(algorithm.rawValue)'s hash")
        }
        self = .digest(digest)
    }
}

extension Parameters {
    /// One of the raw values of an enumeration; nil if absent.
    fileprivate func optionalChoice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of _: Choice.Type = Choice.self
    ) throws(RPCError) -> Choice? where Choice.RawValue == String {
        guard let text = try optionalString(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw .invalidParams(name, "must be one of \(names)")
        }
        return choice
    }

    fileprivate func requiredChoice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of type: Choice.Type = Choice.self
    ) throws(RPCError) -> Choice where Choice.RawValue == String {
        guard let choice = try optionalChoice(name, of: type) else { throw .invalidParams(name, "is missing") }
        return choice
    }

    fileprivate func optionalBase64(_ name: String) throws(RPCError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        guard let bytes = Base64.decode(text) else {
            throw .invalidParams(name, "must be standard Base64, with padding")
        }
        return bytes
    }
}

extension SignatureVerdict: JSONWritable {
    public func write(to json: inout JSONWriter) {
        json.object { result in
            result.member("valid", isValid)
            result.member("keyVersion", key.version?.number)
            result.member("spkiSha256", key.key.spkiSHA256)
            result.member("source", key.source.rawValue)
        }
    }
}
