import Foundation
import KMSEmulator
import KMSTestSupport
import NCloudKMS
import Testing

/// The library as its users call it, without `@testable`.
@Suite(.timeLimit(.minutes(5))) struct PublicKeyProviderTests {
    /// A fake as a user would write it.
    private struct FakeKeys: PublicKeyProvider {
        let answer: Result<PublicKey, KMSError>

        func publicKey(_ query: PublicKeyQuery) async throws(KMSError) -> PublicKeyAnswer {
            PublicKeyAnswer(try answer.get(), keyTag: query.keyTag, version: query.version)
        }
    }

    private static func emulator(faults: [String] = []) throws -> Emulator {
        try Emulator(Emulator.Configuration(usesTLS: false, faults: faults.map(Fault.init(parsing:))))
    }

    private static func client(_ emulator: Emulator, _ variables: [String: String] = [:]) throws -> KMSClient {
        let demo = Seed.AccessKey.demo
        return try KMSClient(
            KMSClientConfiguration(
                environment: EnvironmentVariables(
                    [
                        "NCLOUD_KMS_ENDPOINT": emulator.endpoint, "NCLOUD_ACCESS_KEY_ID": demo.id,
                        "NCLOUD_SECRET_ACCESS_KEY": demo.secret,
                    ].merging(variables) { $1 })))
    }

    @Test func `a client made from the environment fetches keys`() async throws {
        let emulator = try Self.emulator()
        defer { emulator.stop() }
        let client = try Self.client(emulator)
        let first = try await client.publicKey(for: KeyTag("demo-ec"))
        #expect(first.source == .kms)
        #expect(first.key.curve == .p256)
        let pinned = try await client.publicKey(for: KeyTag("demo-rsa"), version: KeyVersion(1), timeout: .seconds(5))
        #expect(pinned.version?.number == 1)
        #expect(try await client.publicKey(for: KeyTag("demo-ec")).source == .cache)
        #expect(try await client.publicKey(for: KeyTag("demo-ec"), maxAge: .zero).source == .kms)
        await client.shutdown()
        await #expect(throws: KMSError.self) { try await client.publicKey(for: KeyTag("demo-ec"), maxAge: .zero) }
    }

    @Test func `what the service refuses is a KMSError that prints as a sentence`() async throws {
        let emulator = try Self.emulator()
        defer { emulator.stop() }
        let client: any PublicKeyProvider = try Self.client(emulator)
        let keyTag = try KeyTag("no-such-key")
        do throws(KMSError) {
            _ = try await client.publicKey(for: keyTag)
            Issue.record("there is no such key")
        } catch {
            #expect(error.code == .keyNotFound)
            #expect(!error.isRetryable)
            #expect("\(error)" == "KeyNotFound (1004): \(error.message)")
            #expect(error.localizedDescription == "\(error)")
        }
    }

    @Test func `a client verifies signatures, in each of the forms that they come in`() async throws {
        let pair = try await OpenSSLKeyPair.ec("P-256")
        let emulator = try Self.emulator()
        defer { emulator.stop() }
        emulator.setSeed(
            Seed(keys: [
                Seed.Key(
                    keyTag: "signer", keyType: .ecdsa, versions: [Seed.Version(1, publicKey: pair.publicKey)])
            ]))
        let client = try Self.client(emulator)
        let keyTag = try KeyTag("signer")
        let message = Array("a message".utf8)
        let bytes = try await pair.sign(message, algorithm: "ES256")
        let digest = try await OpenSSLKeyPair.digest(message, bits: 256)
        let base64 = Data(bytes).base64EncodedString()

        for signature in [
            ServiceSignature(bytes: bytes), try ServiceSignature(base64), try ServiceSignature("ncpkms:v1:\(base64)"),
        ] {
            let verdict = try await client.verify(signature, of: .data(message), by: keyTag, algorithm: .es256)
            #expect(verdict.isValid)
            #expect(verdict.key.version == signature.version)
        }
        let p1363 = ServiceSignature(bytes: OpenSSLKeyPair.p1363(bytes, width: 32))
        let byDigest = try await client.verify(
            p1363, of: .digest(digest), by: keyTag, algorithm: .es256, encoding: .p1363)
        #expect(byDigest.isValid)
        let other = try await client.verify(
            ServiceSignature(bytes: bytes), of: .data([0]), by: keyTag, algorithm: .es256)
        #expect(!other.isValid)
    }

    // Computed: in a global the tag in the pointer of an enum's payload hides the payload from the leak sanitizer.
    static var misuses: [(SignatureAlgorithm, KeyVersion?, SignedMessage, String)] {
        [
            (.rs256, nil, .data([]), "algorithm"), (.es256, nil, .digest([1]), "digest"),
            (.es256, try? KeyVersion(2), .data([]), "signature"),
        ]
    }

    @Test(arguments: misuses)
    func `arguments that don't fit are an error of their own, from a client and from a fake`(
        algorithm: SignatureAlgorithm, version: KeyVersion?, message: SignedMessage, name: String
    ) async throws {
        let emulator = try Self.emulator()
        defer { emulator.stop() }
        let client = try Self.client(emulator)
        let keyTag = try KeyTag("demo-ec")
        let fake = FakeKeys(answer: .success(try await client.publicKey(for: keyTag).key))
        let signature = ServiceSignature(bytes: [1], version: try KeyVersion(1))
        for keys in [client, fake] as [any PublicKeyProvider] {
            let error = await #expect(throws: KMSError.self) {
                try await keys.verify(signature, of: message, by: keyTag, version: version, algorithm: algorithm)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.hasPrefix("\(name) ") == true)
            #expect(error?.message.hasSuffix(".") == true)
        }
    }

    @Test func `a fake verifies with the key that it gives, and throws what it is given`() async throws {
        let pair = try await OpenSSLKeyPair.rsa(bits: 2_048)
        let message = Array("a message".utf8)
        let signature = ServiceSignature(bytes: try await pair.sign(message, algorithm: "PS256"))
        let keyTag = try KeyTag("any")
        let fake = FakeKeys(answer: .success(try PublicKey(pem: pair.publicKey)))
        let verdict = try await fake.verify(signature, of: .data(message), by: keyTag, algorithm: .ps256)
        #expect(verdict.isValid)
        #expect(verdict.key.source == .kms)
        let failing = FakeKeys(answer: .failure(KMSError(.rateLimited, "Slow down.", retryAfter: .seconds(1))))
        let error = await #expect(throws: KMSError.self) { try await failing.publicKey(for: keyTag) }
        #expect(error?.isRetryable == true)
        #expect(error?.retryAfter == .seconds(1))
    }

    @Test func `cancelling the task cancels a verification`() async throws {
        let emulator = try Self.emulator(faults: ["hang"])
        defer { emulator.stop() }
        let client = try Self.client(emulator)
        let query = try SignatureQuery(
            keyTag: KeyTag("demo-ec"), message: .data([]), signature: ServiceSignature(bytes: [1]), algorithm: .es256)
        let call = Task { () async -> KMSError.Code? in
            do throws(KMSError) {
                _ = try await client.verify(query)
                return nil
            } catch {
                return error.code
            }
        }
        try await emulator.waitForState { $0.total == 1 }
        call.cancel()
        #expect(await call.value == .cancelled)
    }
}
