import JSON
import KMSEmulator
import Platform
import TestSupport
import Testing

/// Spec page 03, the list of faults: TLS, against servers as the world runs them.
@Suite(.timeLimit(.minutes(1))) struct FaultTrustTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var subjects = "IP:127.0.0.1"
        var days = 30
        var isSelfSigned = false
        /// The client trusts another authority than the server's.
        var trustsAnother = false
        var options: [String] = []
        /// What the message says.
        var words: String

        var testDescription: String { name }
    }

    @Test(arguments: [
        Row(name: "expired", days: -1, words: "expired"),
        Row(name: "self-signed", isSelfSigned: true, words: "signed by itself"),
        Row(name: "wrong host", subjects: "DNS:kms.example.com", words: "another host"),
        Row(name: "unknown CA", trustsAnother: true, words: "authority"),
        Row(name: "TLS 1.1", options: ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], words: "TLS 1.2"),
        Row(name: "TLS 1.0", options: ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], words: "TLS 1.2"),
    ])
    func `a server that is not trusted is 1011, never asked twice`(row: Row) async throws {
        let authority = try TestAuthority()
        let identity = try authority.makeIdentity(
            subjects: row.subjects, days: row.days, isSelfSigned: row.isSelfSigned)
        let (server, port) = try TestAuthority.startServer(identity, options: row.options)
        let trusted = row.trustsAnother ? try TestAuthority() : authority
        _ = try await ServiceProcess.run(
            endpoint: "https://127.0.0.1:\(port)", arguments: ["--ca-file", trusted.file]
        ) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1011)
            #expect(answer.attempts == 1)
            #expect(answer.httpStatus == nil)
            #expect(answer.message.contains(row.words), "\(answer.message)")
            #expect(try await process.status()["upstream"]?["attempts"]?.integer == 1)
        }
        withExtendedLifetime((server, trusted)) {}
    }

    @Test func `a server that speaks no TLS is 1011`() async throws {
        let responder = try RawResponder([.send("HTTP/1.1 400 Bad Request\r\n\r\n"), .waitUntilPeerCloses])
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: "https://127.0.0.1:\(responder.port)") { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1011)
            #expect(answer.attempts == 1)
        }
        #expect(responder.connectionCount == 1)
    }

    @Test func `a handshake that breaks is no question of trust, but 1008`() async throws {
        let responder = try RawResponder([.reset])
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: "https://127.0.0.1:\(responder.port)") { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == 3)
        }
        #expect(responder.connectionCount == 3)
    }

    @Test(
        .enabled(if: access(Nginx.program, X_OK) == 0, "nginx is not installed"),
        arguments: ["TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"])
    func `nginx in front of the service makes no difference, recycled connections included`(
        versions: String
    ) async throws {
        let kms = try EmulatedKMS(usesTLS: false)
        defer { kms.emulator.stop() }
        let authority = try TestAuthority()
        let server = try Nginx(
            identity: authority.makeIdentity(),
            server: "ssl_protocols \(versions); keepalive_requests 3; "
                + "location / { proxy_pass \(kms.emulator.endpoint); }")
        _ = try await ServiceProcess.run(
            endpoint: "https://127.0.0.1:\(server.port)", arguments: ["--ca-file", authority.file]
        ) { process in
            for _ in 0..<20 {
                let answer = try await process.getPublicKey()
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
        }
        #expect(kms.emulator.state.total == 20)
    }

    @Test func `a file of authorities that holds none is 1011`() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("ca.pem", "no certificate\n".utf8)
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(more: ["NCLOUD_KMS_CA_FILE": file]) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1011)
                #expect(answer.attempts == 1)
                #expect(answer.message.contains("authorities"), "\(answer.message)")
            }
        }
    }
}
