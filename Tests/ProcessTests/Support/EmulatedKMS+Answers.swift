import KMSJSON
import KMSEmulator
import KMSTestSupport
import Testing

extension EmulatedKMS {
    /// The answers to calls of one method, in the order of the calls.
    ///
    /// - Parameter params: JSON, for each call.
    func answers(to method: String, _ params: [String]) async throws -> [JSONValue] {
        let lines = params.enumerated().map { index, params in
            #"{"jsonrpc":"2.0","id":\#(index),"method":"\#(method)","params":\#(params)}"#
        }
        let outcome = try await ServiceProcess.answers(to: lines.joined(separator: "\n"), environment: environment)
        #expect(outcome.status == 0, "\(outcome.log)")
        let answers = try outcome.result.map { try JSONValue(parsing: $0) }.sorted {
            $0["id"]?.integer ?? -1 < $1["id"]?.integer ?? -1
        }
        try #require(answers.compactMap { $0["id"]?.integer } == Array(params.indices))
        return answers
    }
}

extension Seed.Key {
    /// With versions 1, 2 and so on.
    init(_ keyTag: String, _ keyType: Seed.KeyType, _ publicKeys: [String]) {
        self.init(
            keyTag: keyTag, keyType: keyType,
            versions: publicKeys.enumerated().map { Seed.Version($0.offset + 1, publicKey: $0.element) })
    }
}

extension JSONValue {
    var errorCode: Int? { self["error"]?["code"]?.integer }
    var errorParameter: String? { self["error"]?["data"]?["parameter"]?.string }
}
