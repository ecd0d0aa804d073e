import KMSJSON
import KMSJSONRPC
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// `getPublicKey`: a public key, checked, in the requested encodings.
struct GetPublicKey: Method {
    static let parameterNames = ["keyTag", "keyVersion", "formats", "maxAgeMs", "timeoutMs"]

    let name = "getPublicKey"
    private let client: KMSClient
    private let rendered: RenderedResults

    init(client: KMSClient) {
        self.client = client
        rendered = RenderedResults(on: client.loop)
    }

    func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)? {
        guard let params, let known = rendered.result(for: params.ownBytes) else { return nil }
        let age = client.ageInCache(of: known.fetched, for: known.query, arrival: arrival)
        return age.map { AgedResult(known: known, age: $0) }
    }

    /// Three words, so that it fits into an existential without an allocation.
    private struct AgedResult: ReadyResult {
        let known: RenderedResults.Known
        let age: Duration

        func append(to json: inout [UInt8]) { known.result.append(to: &json, age: age) }
    }

    func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
        let request = try Request(params)
        let written = params.flatMap { RenderedResults.remembers($0.ownBytes) ? Array($0.ownBytes) : nil }
        let fetch = client.begin(
            request.query, arrival: call.arrival, label: call.label, progress: call.fetchProgress
        ) { [rendered] result in
            do throws(RPCError) {
                switch result {
                case .success(let answer):
                    let result = try request.rendered(answer)
                    if answer.source == .cache, let written {
                        rendered.remember(result, of: answer, request.query, written)
                    }
                    call.succeed(json: result.bytes)
                case .failure(let error):
                    throw RPCError(error)
                }
            } catch {
                call.fail(error)
            }
        }
        guard let fetch else { return }
        call.onCancellation { [client] in client.cancel(fetch) }
    }

    /// The parsed parameters.
    struct Request: Sendable {
        let query: PublicKeyQuery
        let formats: [KeyFormat]

        init(_ params: RawParameters?) throws(RPCError) {
            let parameters = try Parameters(params, names: GetPublicKey.parameterNames)
            let keyTag = try parameters.keyTag()
            let keyVersion = try parameters.keyVersion()
            let names = try parameters.optionalStrings("formats") ?? []
            do throws(InvalidValue) {
                formats = try KeyFormat.formats(named: names)
            } catch {
                throw RPCError(error)
            }
            query = PublicKeyQuery(
                keyTag: keyTag, version: keyVersion, maxAge: try parameters.maxAge(),
                timeout: try parameters.timeout())
        }

        func rendered(_ answer: PublicKeyAnswer) throws(RPCError) -> RenderedKey {
            do throws(InvalidValue) {
                return try RenderedKey(answer, formats: formats)
            } catch {
                throw RPCError(error)
            }
        }
    }
}
