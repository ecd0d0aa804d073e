import KMSEmulator
import KMSTestSupport

/// An emulator in this process, and the environment in which the program finds it.
struct EmulatedKMS {
    let emulator: Emulator
    private let folder: TemporaryDirectory
    private let caFile: String

    init(seed: Seed = .demo, faults: [String] = [], usesTLS: Bool = true, port: UInt16 = 0) throws {
        emulator = try Emulator(
            Emulator.Configuration(seed: seed, usesTLS: usesTLS, port: port, faults: faults.map(Fault.init(parsing:))))
        folder = try TemporaryDirectory()
        caFile = try folder.write("ca.pem", (emulator.certificatePEM ?? "").utf8)
    }

    /// Runs `body` with an emulator, which is stopped after it.
    static func with<Result>(
        seed: Seed = .demo, faults: [String] = [], _ body: (EmulatedKMS) async throws -> Result
    ) async throws -> Result {
        let kms = try EmulatedKMS(seed: seed, faults: faults)
        defer { kms.emulator.stop() }
        return try await body(kms)
    }

    var environment: [String: String] {
        Self.credentials.merging(
            ["NCLOUD_KMS_ENDPOINT": emulator.endpoint, "NCLOUD_KMS_CA_FILE": caFile]
        ) { _, new in new }
    }

    static let credentials = [
        "NCLOUD_ACCESS_KEY_ID": Seed.AccessKey.demo.id, "NCLOUD_SECRET_ACCESS_KEY": Seed.AccessKey.demo.secret,
    ]
}
