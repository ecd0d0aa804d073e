import JSON
import JSONRPC
import NCloudKMS
import Platform
import PublicKeys

/// `getPublicKey`: the public half of a key, checked, in the encodings that were asked for.
struct GetPublicKey: Method {
    static let parameterNames = ["keyTag", "keyVersion", "formats", "maxAgeMs", "timeoutMs"]

    let name = "getPublicKey"
    let client: KMSClient

    func start(_ call: Call, _ params: JSONValue?) throws(RPCError) {
        let request = try Request(params)
        let fetch = client.publicKey(request.query, arrival: call.arrival, label: call.label) { result in
            do throws(RPCError) {
                switch result {
                case .success(let answer):
                    let json = try Self.render(answer, formats: request.formats)
                    call.succeed { $0.raw(json) }
                case .failure(let error):
                    throw RPCError(error)
                }
            } catch {
                call.fail(error)
            }
        }
        call.onCancellation { fetch.cancel() }
    }

    /// The parameters, read.
    struct Request: Sendable {
        let query: PublicKeyQuery
        let formats: [KeyFormat]

        init(_ params: JSONValue?) throws(RPCError) {
            let parameters = try Parameters(params, names: GetPublicKey.parameterNames)
            let keyTag = try parameters.keyTag()
            let keyVersion = try parameters.keyVersion()
            formats = try KeyFormat.formats(named: try parameters.optionalStrings("formats") ?? [])
            query = PublicKeyQuery(
                keyTag: keyTag, version: keyVersion, maxAge: try parameters.maxAge(),
                timeout: try parameters.timeout())
        }
    }

    /// The result, members in the order of the protocol's table.
    static func render(_ answer: PublicKeyAnswer, formats: [KeyFormat]) throws(RPCError) -> [UInt8] {
        let key = answer.key
        var encodings: [(name: String, json: [UInt8])] = []
        for format in formats { encodings += try format.members(of: key, keyTag: answer.keyTag.text) }
        var json = JSONWriter()
        json.object { result in
            result.member("keyTag", answer.keyTag.text)
            result.member("keyVersion", answer.version?.number)
            result.member("publicKey", String(decoding: key.pem, as: UTF8.self))
            result.member("keyType", key.keyType.rawValue)
            result.member("keySize", key.keySize)
            if let curve = key.curve { result.member("curve", curve.rawValue) }
            result.member("spkiSha256", key.spkiSHA256)
            for encoding in encodings { result.member(encoding.name) { $0.raw(encoding.json) } }
            result.member("source", answer.source.rawValue)
            result.member("ageMs", Int(answer.age.milliseconds))
            result.member("attempts", answer.attempts)
            if let requestID = answer.requestID { result.member("requestId", requestID) }
        }
        return json.bytes
    }
}
