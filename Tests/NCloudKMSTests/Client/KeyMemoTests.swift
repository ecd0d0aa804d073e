import KMSEmulator
import Logging
import NCloudKMS
import KMSPublicKeys
import Testing

@Suite struct KeyMemoTests {
    /// The object is the same, so nothing was parsed: `PublicKeyMemoTests` count that.
    @Test func `a key that is fetched again is parsed once, and one that has changed anew`() async throws {
        func seed(_ keyTag: String) throws -> Seed {
            var key = try #require(Seed.demo.keys.first { $0.keyTag == keyTag })
            key.keyTag = "key"
            return Seed(keys: [key])
        }
        let emulator = try Emulator(Emulator.Configuration(seed: try seed("demo-ec"), usesTLS: false))
        defer { emulator.stop() }
        let access = Seed.AccessKey.demo
        let client = try KMSClient(
            KMSClientConfiguration(
                endpoint: Endpoint(emulator.endpoint),
                authentication: .credentials(
                    Credentials(accessKeyID: access.id, secretAccessKey: SecretBytes(Array(access.secret.utf8))))),
            logger: Logger(label: "test"))
        let query = PublicKeyQuery(keyTag: try KeyTag("key"), maxAge: .zero)

        let first = try await client.publicKey(query)
        let second = try await client.publicKey(query)
        #expect(second.key === first.key)
        #expect([first.source, second.source] == [.kms, .kms])

        emulator.setSeed(try seed("demo-rsa"))
        let third = try await client.publicKey(query)
        #expect(third.key !== first.key)
        #expect(third.key.keyType == .rsa)
        #expect(emulator.state.perKey["key"] == 3)
    }
}
