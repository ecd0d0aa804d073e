import JSON
import KMSEmulator
import Platform
import PublicKeys
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct GetPublicKeyCommandTests {
    private static let kms = Task {
        let keys = try await TestKeys.shared.value
        return try EmulatedKMS(
            seed: Seed(keys: [
                Seed.Key("rsa", .rsa2048, [keys.otherRSA.publicKey, keys.rsa.publicKey]),
                Seed.Key("ec", .ecdsa, [keys.p256.publicKey]), Seed.Key("k1", .ecdsa, [keys.secp256k1.publicKey]),
                Seed.Key("odd", .ecdsa, [Self.odd(keys.p256.publicKey)]),
            ]))
    }

    /// A PEM with CRLF within and no line end behind it.
    private static func odd(_ pem: String) -> String { String(pem.dropLast().replacing("\n", with: "\r\n")) }

    private func run(_ arguments: String...) async throws -> ServiceProcess.Outcome<[UInt8]> {
        try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
    }

    private func text(_ arguments: String...) async throws -> String {
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
        #expect(outcome.status == 0)
        #expect(outcome.log == "")
        return String(decoding: outcome.result, as: UTF8.self)
    }

    @Test func `the PEM is alone on stdout, as the service sent it`() async throws {
        let keys = try await TestKeys.shared.value
        #expect(try await text("rsa") == keys.rsa.publicKey)
        #expect(try await text("rsa", "--format", "pem") == keys.rsa.publicKey)
        #expect(try await text("odd") == Self.odd(keys.p256.publicKey))
    }

    @Test func `a version can be asked for`() async throws {
        let keys = try await TestKeys.shared.value
        #expect(try await text("rsa", "--key-version", "1") == keys.otherRSA.publicKey)
        #expect(try await text("rsa", "--key-version", "2") == keys.rsa.publicKey)
    }

    @Test(arguments: ["rsa", "ec", "k1"])
    func `each format is the same key`(_ keyTag: String) async throws {
        let pem = try await run(keyTag).result
        let key = try PublicKey(pem: pem)
        #expect(try await run(keyTag, "--format", "der").result == key.spki)

        var jwk = JSONWriter()
        key.writeJWK(to: &jwk)
        #expect(try await text(keyTag, "--format", "jwk") == String(decoding: jwk.bytes, as: UTF8.self) + "\n")

        let json = try await text(keyTag, "--format", "json")
        #expect(json.hasSuffix("}\n"))
        let result = try JSONValue(parsing: json)
        #expect(result["publicKey"]?.string == String(decoding: pem, as: UTF8.self))
        #expect(result["spkiSha256"]?.string == key.spkiSHA256)
        #expect(result["source"]?.string == "kms")

        if let line = key.sshLine(comment: keyTag) {
            #expect(try await text(keyTag, "--format", "ssh") == line + "\n")
        }
        if let pkcs1 = key.pkcs1PEM { #expect(try await text(keyTag, "--format", "pkcs1") == pkcs1) }
    }

    @Test(arguments: [
        (["none"], "KeyNotFound (1004): "), (["rsa", "--key-version", "9"], "KeyUnusable (1005): "),
        (["ec", "--format", "pkcs1"], "InvalidParams (-32602): --format "),
        (["k1", "--format", "pkcs1"], "InvalidParams (-32602): --format "),
        (["k1", "--format", "ssh"], "InvalidParams (-32602): --format "),
        (["rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "1"], "ServiceUnavailable (1008): "),
        // Attempts that are repeated are no lines of their own.
        (["rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "2"], "ServiceUnavailable (1008): "),
    ])
    func `an error is one line with its type, and status 1`(_ arguments: [String], _ start: String) async throws {
        let outcome = try await ServiceProcess.output(
            of: ["get-public-key"] + arguments, environment: Self.kms.value.environment)
        #expect(outcome.result == [])
        #expect(outcome.logLines.count == 1, "\(outcome.log)")
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: \(start)"), "\(outcome.log)")
        #expect(outcome.status == 1)
    }

    @Test func `without credentials the line says where they were looked for, and shows no secret`() async throws {
        var environment = try await Self.kms.value.environment
        environment["NCLOUD_ACCESS_KEY_ID"] = nil
        environment["NCLOUD_SECRET_ACCESS_KEY"] = nil
        let outcome = try await ServiceProcess.output(of: ["get-public-key", "rsa"], environment: environment)
        #expect(outcome.log.hasPrefix("ncloud-kms-rpc: CredentialsUnavailable (1001): "), "\(outcome.log)")
        #expect(outcome.logLines.count == 1)
        #expect(outcome.status == 1)
    }

    @Test func `who asks for the log gets it beside the error`() async throws {
        let outcome = try await run(
            "rsa", "--endpoint", "http://127.0.0.1:9", "--max-attempts", "2", "--log-level", "warning")
        #expect(outcome.logLines.count > 1)
        #expect(outcome.status == 1)
    }

    @Test func `a stdout that takes nothing is an error`() async throws {
        let environment = try await Self.kms.value.environment
        let full = try await ServiceProcess.run(
            arguments: ["get-public-key", "rsa"], environment: environment, output: .file("/dev/full", O_WRONLY),
            readsLog: true
        ) { try await $0.waitForEnd() }
        #expect(full.status == 1)
        #expect(full.log.hasPrefix("ncloud-kms-rpc: stdout: "), "\(full.log)")
    }
}
