import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Signatures that OpenSSL made, verified by the plugin.
@Suite(.timeLimit(.minutes(5))) struct SigstoreVerificationTests {
    private static let message = Array("what was signed\n".utf8)
    private static let valid = #"{"verifySignature":{}}"#

    private static let kms = Task { try EmulatedKMS(seed: await TestKeys.shared.value.seed) }

    private let plugin: SigstorePluginProgram

    init() throws { plugin = try SigstorePluginProgram() }

    private func expectValid(
        _ call: SigstoreCall, _ signature: [UInt8], input: [UInt8] = message,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await plugin.result(
            of: call.verifySignature(signature), input: input, environment: Self.kms.value.environment,
            sourceLocation: sourceLocation)
        #expect(result == Self.valid, sourceLocation: sourceLocation)
    }

    private func expectError(
        _ call: SigstoreCall, _ signature: [UInt8], input: [UInt8] = message, _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let message = try await plugin.error(
            ["v1", call.verifySignature(signature)], input: input, environment: Self.kms.value.environment,
            sourceLocation: sourceLocation)
        #expect(message.contains(text), "\(message)", sourceLocation: sourceLocation)
    }

    private static func pair(_ keyTag: String) async throws -> OpenSSLKeyPair {
        let keys = try await TestKeys.shared.value
        return ["rsa": keys.rsa, "ec": keys.p256, "p384": keys.p384, "p521": keys.p521, "k1": keys.secp256k1][keyTag]!
    }

    private static let kinds: [(String, String)] = ["256", "384", "512"].flatMap { bits in
        [("rsa", "RS\(bits)"), ("rsa", "PS\(bits)")] + ["ec", "p384", "p521", "k1"].map { ($0, "ES\(bits)") }
    }

    @Test(arguments: kinds)
    func `a signature is valid on any curve by any hash, of stdin and of its digest`(
        _ keyTag: String, _ algorithm: String
    ) async throws {
        let bits = Int(algorithm.suffix(3))!
        let signature = try await Self.pair(keyTag).sign(Self.message, algorithm: algorithm)
        let call = SigstoreCall(keyTag).with { $0.hashFunc = [256: 5, 384: 6, 512: 7][bits]! }
        try await expectValid(call, signature)
        try await expectError(call, signature, input: Self.message + [0], "not valid")
        // The digest beats stdin, and the hash of the message that of the client.
        let digest = try await OpenSSLKeyPair.digest(Self.message, bits: bits)
        let byDigest = SigstoreCall(keyTag).with {
            ($0.hashFunc, $0.messageHash) = (17, call.hashFunc)
            $0.digest = #""\#(Base64.encode(digest))""#
        }
        try await expectValid(byDigest, signature, input: Array("anything".utf8))
        try await expectValid(byDigest.with { ($0.hashFunc, $0.messageHash) = (0, nil) }, signature, input: [])
        try await expectError(call.with { $0.digest = #""AAAA""# }, signature, "digest must have the")
    }

    /// With a 2,048 bit key and SHA-256 the service's salt has 222 bytes, as many as fit.
    @Test(arguments: ["0", "20", "digest", "222"])
    func `a salt may have any length`(_ saltLength: String) async throws {
        let signature = try await Self.pair("rsa").sign(Self.message, algorithm: "PS256", saltLength: saltLength)
        try await expectValid(SigstoreCall("rsa"), signature)
    }

    @Test func `an empty message is one, too`() async throws {
        let signature = try await Self.pair("ec").sign([], algorithm: "ES256")
        try await expectValid(SigstoreCall("ec"), signature, input: [])
        try await expectValid(SigstoreCall("ec").with { $0.digest = #""""# }, signature, input: [])
    }

    @Test func `a message is larger than any buffer`() async throws {
        let large = [UInt8](repeating: 0x5A, count: 12 << 20)
        let signature = try await Self.pair("p384").sign(large, algorithm: "ES256")
        try await expectValid(SigstoreCall("p384"), signature, input: large)
        try await expectError(SigstoreCall("p384"), signature, input: large.dropLast(), "not valid")
    }

    @Test func `the version is that of the signature, and must be no other`() async throws {
        let keys = try await TestKeys.shared.value
        let signature = try await keys.otherRSA.sign(Self.message, algorithm: "PS256")
        let prefixed = Array("ncpkms:v1:\(Base64.encode(signature))\n".utf8)
        try await expectValid(SigstoreCall("rsa"), prefixed)
        try await expectValid(SigstoreCall("rsa/versions/1"), prefixed)
        try await expectValid(SigstoreCall("rsa").with { $0.version = "1" }, signature)
        try await expectError(SigstoreCall("rsa"), signature, "not valid")
        try await expectError(SigstoreCall("rsa/versions/2"), prefixed, "version 1 of the key, but version 2")
        try await expectError(
            SigstoreCall("rsa").with { $0.methodVersion = "2" }, prefixed, "version 1 of the key, but version 2")
    }

    @Test(arguments: ["rsa", "ec"])
    func `what is no signature is not valid`(_ keyTag: String) async throws {
        for signature in [[], [0], Array("bad signature".utf8), [UInt8](repeating: 1, count: 256)] {
            try await expectError(SigstoreCall(keyTag), signature, "not valid")
        }
        let other = try await OpenSSLKeyPair.ec("P-256").sign(Self.message, algorithm: "ES256")
        try await expectError(SigstoreCall(keyTag), other, "not valid")
        let raw = OpenSSLKeyPair.p1363(try await Self.pair("ec").sign(Self.message, algorithm: "ES256"), width: 32)
        try await expectError(SigstoreCall(keyTag), raw, "not valid")
    }

    @Test func `remote verification is local, too, in as many processes at once as cosign starts`() async throws {
        let signature = try await Self.pair("ec").sign(Self.message, algorithm: "ES256")
        let call = SigstoreCall("ec").verifySignature(signature).replacing(
            #""remoteVerification":false"#, with: #""remoteVerification":true"#)
        let environment = try await Self.kms.value.environment
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<10 {
                group.addTask { try await plugin.result(of: call, input: Self.message, environment: environment) }
            }
            for try await result in group { #expect(result == Self.valid) }
        }
    }

    @Test func `a message that never ends is given up before the deadline`() async throws {
        let end = SystemClock().wallClockMilliseconds + 2_000
        let call = SigstoreCall("ec").with { $0.deadline = CivilTime(milliseconds: end).rfc3339 }
        let outcome = try await ServiceProcess.run(
            plugin.path, arguments: ["v1", call.verifySignature([1])], environment: Self.kms.value.environment,
            readsLog: true
        ) { process in
            let lines = await process.rest()
            try await process.waitForEnd()
            return lines
        }
        // Long before the time that it takes where no deadline is named.
        #expect(SystemClock().wallClockMilliseconds < end + 20_000)
        #expect(outcome.status == 1)
        #expect(outcome.result.first?.contains("the message on stdin can't be read: ") == true, "\(outcome.result)")
    }
}
