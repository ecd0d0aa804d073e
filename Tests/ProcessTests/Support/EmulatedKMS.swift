import JSON
import KMSEmulator
import TestSupport
import Testing

/// An emulator in the test's process, and the environment that leads the built program to it. It ends when it is freed.
final class EmulatedKMS: Sendable {
    let emulator: Emulator
    let environment: [String: String]
    private let folder: TemporaryFolder

    init(keys: [Seed.Key] = Seed.demo.keys, usesTLS: Bool = false, faults: [String] = []) throws {
        let seed = Seed(keys: keys)
        emulator = try Emulator(
            Emulator.Configuration(seed: seed, usesTLS: usesTLS, faults: try faults.map { try Fault(parsing: $0) }))
        folder = try TemporaryFolder()
        var environment = [
            "NCLOUD_KMS_ENDPOINT": emulator.endpoint, "NCLOUD_ACCESS_KEY_ID": seed.accessKeys[0].id,
            "NCLOUD_SECRET_ACCESS_KEY": seed.accessKeys[0].secret,
        ]
        if let authority = emulator.certificatePEM {
            environment["NCLOUD_KMS_CA_FILE"] = try folder.write(authority, to: "ca.pem")
        }
        self.environment = environment
    }

    deinit { emulator.stop() }

    /// The answers to calls of one method, in the order of the calls.
    func answers(to method: String, _ params: [String]) async throws -> [JSONValue] {
        let lines = params.enumerated().map { index, params in
            #"{"jsonrpc":"2.0","id":\#(index),"method":"\#(method)","params":\#(params)}"#
        }
        let outcome = try await ServiceProcess.answers(
            to: lines.joined(separator: "\n"), environment: environment)
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
    /// The JSON as it was written.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    var errorCode: Int? { self["error"]?["code"]?.integer }
    var errorParameter: String? { self["error"]?["data"]?["parameter"]?.string }
}
