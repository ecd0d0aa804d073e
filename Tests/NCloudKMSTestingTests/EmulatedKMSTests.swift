import KMSTestSupport
import NCloudKMS
import NCloudKMSTesting
import Testing

/// The emulator as the tests of a user's program use it.
@Suite(.timeLimit(.minutes(5))) struct EmulatedKMSTests {
    @Test func `a client gets the demo keys over TLS, without further configuration`() async throws {
        let kms = try EmulatedKMS()
        defer { kms.stop() }
        let client = try KMSClient(kms.configuration())
        let answer = try await client.publicKey(for: KeyTag("demo-rsa"))
        #expect(answer.key.keyType == .rsa)
        #expect(kms.endpoint.scheme == .https)
        let request = try #require(kms.requests.first)
        #expect(kms.requests.count == 1)
        #expect(request.path == "/kms/v1/keys/demo-rsa/get-pub-key")
        #expect(request.status == 200)
        #expect(request.body == "{}")
        #expect(request.headers["x-ncp-iam-access-key"] == "<redacted>")
        let disabled = await #expect(throws: KMSError.self) {
            try await client.publicKey(for: KeyTag("demo-rsa"), version: KeyVersion(2))
        }
        #expect(disabled?.code == .keyUnusable)
    }

    @Test func `the environment leads to it, too`() async throws {
        let kms = try EmulatedKMS()
        defer { kms.stop() }
        let client = try KMSClient(
            KMSClientConfiguration(environment: EnvironmentVariables(kms.environment)))
        #expect(try await client.publicKey(for: KeyTag("demo-ec")).key.curve == .p256)
    }

    @Test func `keys are rotated and removed, and faults come and go`() async throws {
        let first = try await OpenSSLKeyPair.ec("P-256")
        let second = try await OpenSSLKeyPair.ec("P-256")
        let old = EmulatedKey("my-key", .ecdsa, publicKeyPEM: first.publicKey)
        let kms = try EmulatedKMS(keys: [old], faults: [EmulatedFault("status=503,count=1")], usesTLS: false)
        defer { kms.stop() }
        let client = try KMSClient(kms.configuration(cacheTimeToLive: .zero))
        let keyTag = try KeyTag("my-key")

        let retried = try await client.publicKey(for: keyTag)
        #expect(retried.key == (try PublicKey(pem: first.publicKey)))
        #expect(retried.attempts == 2)
        #expect(kms.requests.map(\.fault) == ["status=503", nil])

        var rotated = old
        rotated.versions.append(EmulatedKey.Version(2, publicKeyPEM: second.publicKey))
        kms.setKeys([rotated])
        #expect(try await client.publicKey(for: keyTag).key == PublicKey(pem: second.publicKey))
        #expect(try await client.publicKey(for: keyTag, version: KeyVersion(1)).key == retried.key)

        kms.reset()
        kms.setFaults([try EmulatedFault("hang")])
        let hanging = Task { try await client.publicKey(for: keyTag) }
        try await kms.waitForRequests(1)
        hanging.cancel()
        await #expect(throws: KMSError.self) { try await hanging.value }

        kms.setFaults([])
        kms.setKeys([])
        let missing = await #expect(throws: KMSError.self) { try await client.publicKey(for: keyTag) }
        #expect(missing?.code == .keyNotFound)
    }

    @Test func `a fault that can't be read is refused`() throws {
        let error = #expect(throws: InvalidValue.self) { try EmulatedFault("statsu=503") }
        #expect(error?.name == "fault")
        #expect(try EmulatedFault("status=503,count=2").description == "status=503,count=2")
    }
}
