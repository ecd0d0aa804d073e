import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// The plugin of sigstore's clients: everything but signatures.
@Suite(.timeLimit(.minutes(5))) struct SigstoreKeyTests {
    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    private let plugin: SigstorePluginProgram

    init() throws { plugin = try SigstorePluginProgram() }

    /// Nothing listens at the endpoint, the zone does not exist, and there are no credentials.
    private static let unusable = ["NCLOUD_KMS_ENDPOINT": "http://127.0.0.1:9", "NCLOUD_KMS_ZONE": "moon"]

    @Test func `the algorithms need no service`() async throws {
        let call = SigstoreCall("rsa")
        #expect(
            try await plugin.result(of: call.defaultAlgorithm, environment: Self.unusable)
                == #"{"defaultAlgorithm":{"defaultAlgorithm":"rsa-2048"}}"#)
        #expect(
            try await plugin.result(of: call.supportedAlgorithms, environment: Self.unusable)
                == #"{"supportedAlgorithms":{"supportedAlgorithms":["rsa-2048","ecdsa-p256-sha256"]}}"#)
        let sign = try await plugin.error(["v1", call.signMessage], environment: Self.unusable)
        #expect(sign.contains("not supported"))
    }

    @Test(arguments: [
        ([], "expected protocol version: v1, got "), (["--help"], "expected protocol version: v1, got --help"),
        (["serve"], "expected protocol version: v1, got serve"),
        (["v2", "{}"], "expected protocol version: v1, got v2"),
        (["v1"], "the second argument is missing"), (["v1", "}"], "the second argument is not JSON"),
        (["v1", #"{"initOptions":{"keyResourceID":"rsa"},"methodName":""}"#], "unsupported method"),
        (["v1", #"{"initOptions":{"keyResourceID":"rsa"},"methodName":"sign\nMessage"}"#], "unsupported method"),
        (["v1", #"{"methodName":"defaultAlgorithm"}"#], "keyResourceID is missing"),
        (["v1", #"{"initOptions":{"keyResourceID":"a/b"},"methodName":"publicKey"}"#], "keyResourceID must be"),
    ])
    func `what is no call is an error on stdout`(_ arguments: [String], _ start: String) async throws {
        let message = try await plugin.error(arguments, environment: Self.kms.value.environment)
        #expect(message.hasPrefix(start), "\(message)")
    }

    private func pem(_ member: String, of result: String) throws -> String {
        let value = try JSONValue(parsing: result)
        #expect(value.members?.map(\.name) == [member])
        #expect(value[member]?.members?.map(\.name) == ["publicKeyPEM"])
        let bytes = try #require(Base64.decode(value[member]?["publicKeyPEM"]?.string ?? "-"))
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `a key is SubjectPublicKeyInfo in PEM, of the version that was asked for`() async throws {
        let keys = try await TestKeys.shared.value
        let environment = try await Self.kms.value.environment
        let calls: [(SigstoreCall, OpenSSLKeyPair)] = [
            (SigstoreCall("rsa"), keys.rsa), (SigstoreCall("rsa/versions/1"), keys.otherRSA),
            (SigstoreCall("rsa").with { $0.version = "1" }, keys.otherRSA),
            (SigstoreCall("rsa").with { ($0.version, $0.methodVersion) = ("2", "1") }, keys.otherRSA),
            (SigstoreCall("rsa/versions/1").with { $0.methodVersion = "1" }, keys.otherRSA),
            (SigstoreCall("ec").with { $0.hashFunc = 17 }, keys.p256), (SigstoreCall("p384"), keys.p384),
            (SigstoreCall("p521"), keys.p521),
        ]
        for (call, pair) in calls {
            let result = try await plugin.result(of: call.publicKey, environment: environment)
            #expect(try pem("publicKey", of: result) == pair.publicKey)
        }
    }

    /// The symptom of another form: Go's `x509.ParsePKIXPublicKey` refuses PKCS#1.
    @Test func `a key that the service sends in another form is SubjectPublicKeyInfo, too`() async throws {
        let keys = try await TestKeys.shared.value
        let pkcs1 = try ChildProcess.run(
            "/bin/sh",
            ["-c", "printf '%s' \"$0\" | openssl rsa -pubin -RSAPublicKey_out 2>/dev/null", keys.rsa.publicKey])
        try #require(pkcs1.hasPrefix("-----BEGIN RSA PUBLIC KEY-----"))
        try await EmulatedKMS.with(seed: Seed(keys: [Seed.Key("rsa", .rsa2048, [pkcs1])])) { kms in
            let result = try await plugin.result(of: SigstoreCall("rsa").publicKey, environment: kms.environment)
            #expect(try pem("publicKey", of: result) == keys.rsa.publicKey)
        }
    }

    @Test(arguments: [
        (SigstoreCall("none").publicKey, "KeyNotFound (1004): "),
        (SigstoreCall("rsa/versions/9").publicKey, "KeyUnusable (1005): "),
        (SigstoreCall("rsa/versions/1").with { $0.version = "2" }.publicKey, "keyResourceID names version 1"),
        (SigstoreCall("k1").publicKey, "k1 is a key on secp256k1, "),
        (SigstoreCall("rsa").with { $0.deadline = "2025-04-01T02:47:00Z" }.publicKey, "the deadline of the call has"),
        (SigstoreCall("rsa").with { $0.methodDeadline = "2025-04-01T02:47:00Z" }.publicKey, "the deadline of the call"),
    ])
    func `a key that can't be had is one line`(_ call: String, _ start: String) async throws {
        let message = try await plugin.error(["v1", call], environment: Self.kms.value.environment)
        #expect(message.hasPrefix(start), "\(message)")
    }

    @Test func `settings come from the environment, and so do their errors`() async throws {
        let call = SigstoreCall("rsa").publicKey
        let zone = try await plugin.error(["v1", call], environment: ["NCLOUD_KMS_ZONE": "moon"])
        #expect(zone.hasPrefix("NCLOUD_KMS_ZONE must be one of "), "\(zone)")
        let credentials = try await plugin.error(
            ["v1", call], environment: ["NCLOUD_KMS_ENDPOINT": Self.kms.value.emulator.endpoint])
        #expect(credentials.hasPrefix("CredentialsUnavailable (1001): "), "\(credentials)")
    }

    @Test func `stdin is not read where nothing of it is wanted`() async throws {
        let environment = try await Self.kms.value.environment
        for call in [SigstoreCall("rsa").publicKey, SigstoreCall("rsa").defaultAlgorithm] {
            let outcome = try await ServiceProcess.run(
                plugin.path, arguments: ["v1", call], environment: environment, readsLog: true
            ) { process in
                // It ends while its stdin is open and empty.
                let lines = await process.rest()
                try await process.waitForEnd()
                return lines
            }
            #expect(outcome.status == 0)
            #expect(outcome.result.count == 1)
        }
    }

    // MARK: createKey

    @Test(arguments: [("rsa", "rsa-2048"), ("ec", "ecdsa-p256-sha256")])
    func `a key that is there is handed out as a new one`(_ resource: String, _ algorithm: String) async throws {
        let keys = try await TestKeys.shared.value
        let result = try await plugin.result(
            of: SigstoreCall(resource).createKey(algorithm), environment: Self.kms.value.environment)
        #expect(try pem("createKey", of: result) == (resource == "rsa" ? keys.rsa : keys.p256).publicKey)
    }

    @Test(arguments: [
        ("ec", "rsa-2048"), ("rsa", "ecdsa-p256-sha256"), ("p384", "ecdsa-p256-sha256"),
        ("k1", "ecdsa-p256-sha256"), ("rsa/versions/1", "rsa-2048"), ("none", "rsa-2048"),
        ("rsa/versions/9", "rsa-2048"),
        ("rsa", "any-algorithm"), ("rsa", ""), ("rsa", "RSA-2048"),
    ])
    func `a key that is not there, or another one, is to be made in the console`(
        _ resource: String, _ algorithm: String
    ) async throws {
        let message = try await plugin.error(
            ["v1", SigstoreCall(resource).createKey(algorithm)], environment: Self.kms.value.environment)
        #expect(message.contains("create the key in the console"), "\(message)")
    }

    // MARK: The process

    @Test func `the name is the last component, of a copy, too, and of nothing else`() async throws {
        let folder = try TemporaryDirectory()
        let copy = folder.path("sigstore-kms-ncloud")
        try ChildProcess.run("/bin/cp", [BuiltProducts.path(of: "ncloud-kms-rpc"), copy])
        let call = SigstoreCall("rsa").defaultAlgorithm
        let copied = try await ServiceProcess.output(copy, of: ["v1", call])
        #expect(copied.status == 0)
        // As cosign starts it: with the bare name, found in PATH.
        let byName = try await ServiceProcess.output(
            "/usr/bin/env", of: ["sigstore-kms-ncloud", "v1", call], environment: ["PATH": folder.path])
        #expect(byName.status == 0, "\(byName.log)")
        #expect(byName.result == copied.result)
        let other = folder.path("sigstore-kms-ncloud2")
        try ChildProcess.run("/bin/cp", [copy, other])
        #expect(try await ServiceProcess.output(other, of: ["v1", call]).status == 64)
    }

    @Test func `an answer that can't be written is status 74`() async throws {
        let outcome = try await ServiceProcess.run(
            plugin.path, arguments: ["v1", SigstoreCall("rsa").defaultAlgorithm],
            output: .file("/dev/full", O_WRONLY), readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(outcome.status == 74)
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: stdout: "), "\(outcome.log)")
    }

    @Test func `the answer is there before the deadline, whatever the service does`() async throws {
        try await EmulatedKMS.with(seed: TestKeys.shared.value.seed, faults: ["hang"]) { kms in
            let end = SystemClock().wallClockMilliseconds + 2_000
            let deadline = CivilTime(milliseconds: end).rfc3339
            let calls = [
                SigstoreCall("rsa").with { $0.deadline = deadline }.publicKey,
                SigstoreCall("rsa").with { $0.methodDeadline = deadline }.createKey("rsa-2048"),
            ]
            async let first = plugin.error(["v1", calls[0]], environment: kms.environment)
            async let second = plugin.error(["v1", calls[1]], environment: kms.environment)
            for message in try await [first, second] {
                #expect(message.hasPrefix("DeadlineExceeded (1009): "), "\(message)")
            }
            // Long before the time that it takes where no deadline is named.
            #expect(SystemClock().wallClockMilliseconds < end + 20_000)
        }
    }
}
