import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// A name with several addresses, and one whose address changes.
@Suite(
    .timeLimit(.minutes(5)), .enabled(if: access(Nginx.program, X_OK) == 0, "nginx is not installed"),
    .enabled(if: PrivateHosts.arePossible, "mount namespaces are refused"))
struct FaultNameTests {
    private static let host = "kms.test"

    /// The emulator at 127.0.0.4, with a certificate for the name.
    private func withService(
        _ body: (_ port: UInt16, _ endpoint: String, _ variables: [String: String]) async throws -> Void
    ) async throws {
        let emulator = try EmulatedKMS(usesTLS: false)
        defer { emulator.emulator.stop() }
        let authority = try TestAuthority()
        let server = try Nginx(
            identity: authority.makeIdentity(subjects: "DNS:\(Self.host)"), host: "127.0.0.4",
            server: "location / { proxy_pass \(emulator.emulator.endpoint); }")
        let endpoint = "https://\(Self.host):\(server.port)"
        let variables = EmulatedKMS.credentials.merging(
            ["NCLOUD_KMS_CA_FILE": authority.file, "NCLOUD_KMS_ENDPOINT": endpoint]) { $1 }
        try await body(server.port, endpoint, variables)
    }

    private func run(
        _ hosts: PrivateHosts, _ variables: [String: String], body: (ServiceProcess) async throws -> Void
    ) async throws {
        let arguments = hosts.arguments(of: BuiltProducts.path(of: "ncloud-kms-rpc"), [])
        let outcome = try await ServiceProcess.run(
            hosts.program, arguments: arguments, environment: variables, body: body)
        #expect(outcome.status == 0, "\(outcome.log)")
    }

    @Test func `of two addresses one may be silent`() async throws {
        try await withService { port, _, variables in
            // The resolver sorts it before the other.
            let silent = try UnansweringPort(host: 2, port: port)
            try await run(PrivateHosts(["127.0.0.2 \(Self.host)", "127.0.0.4 \(Self.host)"]), variables) {
                let answer = try await $0.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
            withExtendedLifetime(silent) {}
        }
    }

    @Test func `after a refused connection the name is looked up anew`() async throws {
        try await withService { _, _, variables in
            let hosts = try PrivateHosts(["127.0.0.2 \(Self.host)"])
            try await run(hosts, variables) {
                let failure = try await $0.getPublicKey()
                #expect(failure.code == 1008)
                #expect(failure.message.contains("refused"))
                try hosts.write(["127.0.0.4 \(Self.host)"])
                let answer = try await $0.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
        }
    }

    @Test func `after a call that gave up connecting the name is looked up anew`() async throws {
        try await withService { port, _, variables in
            let silent = try UnansweringPort(host: 2, port: port)
            let hosts = try PrivateHosts(["127.0.0.2 \(Self.host)"])
            try await run(hosts, variables) {
                let failure = try await $0.getPublicKey(#"{"keyTag":"demo-rsa","timeoutMs":500}"#)
                #expect(failure.code == 1009)
                try hosts.write(["127.0.0.4 \(Self.host)"])
                let answer = try await $0.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
            withExtendedLifetime(silent) {}
        }
    }
}
