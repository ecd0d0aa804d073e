import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// TLS, against servers as the world runs them.
@Suite(.timeLimit(.minutes(5))) struct FaultTrustTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var subjects: String? = "IP:127.0.0.1"
        var host = "127.0.0.1"
        var days = 30
        var authorityDays = 30
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
        Row(name: "self-signed", isSelfSigned: true, words: "self-signed"),
        Row(name: "wrong host", subjects: "DNS:kms.example.com", words: "another host"),
        Row(name: "unknown CA", trustsAnother: true, words: "authority"),
        Row(name: "TLS 1.1", options: ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], words: "TLS 1.2"),
        Row(name: "localhost", subjects: nil, host: "localhost", words: "subjectAltName"),
        Row(
            name: "demand in TLS 1.2", options: ["-tls1_2", "-Verify", "1", "-verify_return_error"],
            words: "client certificate"),
        Row(
            name: "demand in TLS 1.3", options: ["-tls1_3", "-Verify", "1", "-verify_return_error"],
            words: "client certificate"),
        Row(name: "expired authority", authorityDays: -1, words: "an authority in its chain has expired"),
        Row(name: "TLS 1.0", options: ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], words: "TLS 1.2"),
    ])
    func `a server that is not trusted is 1011, never asked twice`(row: Row) async throws {
        let authority = try TestAuthority(days: row.authorityDays)
        let identity = try authority.makeIdentity(
            row.host, subjects: row.subjects, days: row.days, isSelfSigned: row.isSelfSigned)
        let (server, port) = try TestAuthority.startServer(identity, options: row.options)
        let trusted = row.trustsAnother ? try TestAuthority() : authority
        _ = try await ServiceProcess.run(
            endpoint: "https://\(row.host):\(port)", arguments: ["--ca-file", trusted.file]
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

    @Test(arguments: ["--ca-file", "NCLOUD_KMS_CA_FILE"])
    func `a file of authorities that changes is noticed, for better and for worse`(origin: String) async throws {
        let folder = try TemporaryDirectory()
        let other = try TestAuthority()
        try await EmulatedKMS.with { kms in
            let right = Array((kms.emulator.certificatePEM ?? "").utf8)
            let wrong = try FileContents.of(other.file)
            let path = try folder.write("ca.pem", right)
            let isFlag = origin.hasPrefix("--")
            _ = try await kms.run(isFlag ? [origin, path] : [], more: isFlag ? [:] : [origin: path]) { process in
                #expect(try await process.getPublicKey().code == nil)
                // The connection that is kept was checked with an authority that has gone.
                for contents in [wrong, Array("no certificate".utf8), []] {
                    try folder.write("ca.pem", contents)
                    let refused = try await process.getPublicKey()
                    #expect(refused.code == 1011)
                    #expect(refused.attempts == 1)
                    #expect(refused.message.contains("authorit"), "\(refused.message)")
                }
                try folder.write("ca.pem", wrong + right)
                let added = try await process.getPublicKey()
                #expect(added.code == nil, "\(added.message)")
                unlink(path)
                #expect(try await process.getPublicKey().code == 1011)
                #expect(mkfifo(path, 0o600) == 0)
                let pipe = try await process.getPublicKey()
                #expect(pipe.code == 1011)
                #expect(pipe.message.contains("must be a regular file"), "\(pipe.message)")
                unlink(path)
                try folder.write("ca.pem", right)
                #expect(try await process.getPublicKey().code == nil)
            }
        }
    }

    @Test func `a file of authorities that a variable names may come later`() async throws {
        let folder = try TemporaryDirectory()
        try await EmulatedKMS.with { kms in
            let path = folder.path("ca.pem")
            _ = try await kms.run(more: ["NCLOUD_KMS_CA_FILE": path]) { process in
                let missing = try await process.getPublicKey()
                #expect(missing.code == 1011)
                #expect(missing.message.contains("NCLOUD_KMS_CA_FILE") && missing.message.contains(path))
                try folder.write("ca.pem", (kms.emulator.certificatePEM ?? "").utf8)
                #expect(try await process.getPublicKey().code == nil)
            }
        }
    }

    @Test func `a file of authorities in binary form is 1011 with the command that converts it`() async throws {
        let authority = try TestAuthority()
        let file = try authority.makeDERFile()
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(["--ca-file", file]) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1011)
                #expect(answer.message.contains("openssl x509 -inform DER"), "\(answer.message)")
            }
        }
    }

    /// Configurations of OpenSSL, and what the message says where they break TLS.
    @Test(arguments: [
        ("providers = p\n[p]\nabsent = n\n[n]\nmodule = /nonexistent.so\nactivate = 1\n", "can't set up TLS"),
        ("ssl_conf = s\n[s]\nsystem_default = x\n[x]\nCipherString = DEFAULT@SECLEVEL=5\n", "cipher in common"),
    ])
    func `an OpenSSL whose own configuration breaks TLS is not taken for the server's fault`(
        text: String, words: String
    ) async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("openssl.cnf", "openssl_conf = d\n[d]\n\(text)".utf8)
        let authority = try TestAuthority()
        let (server, port) = try TestAuthority.startServer(authority.makeIdentity())
        // A token needs no signature, which OpenSSL could not make either.
        _ = try await ServiceProcess.run(
            endpoint: "https://127.0.0.1:\(port)", arguments: ["--ca-file", authority.file],
            more: ["OPENSSL_CONF": file, "NCLOUD_KMS_TOKEN": "a-token"]
        ) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1011)
            #expect(answer.message.contains(words) && answer.message.contains("OPENSSL_CONF"), "\(answer.message)")
        }
        withExtendedLifetime(server) {}
    }

    private static let systemFolder = "/etc/ssl/certs"
    private static let hasHashes = ((try? entries(ofFolder: systemFolder)) ?? []).contains { $0.hasSuffix(".0") }

    /// Parsing the bundle takes 20 ms of the first answer's time.
    @Test(.enabled(if: Strace.mayTrace && hasHashes, "strace may not trace, or there is no folder of hashed links"))
    func `the system's bundle is not read if its folder of hashed links is usable`() async throws {
        let authority = try TestAuthority()
        let (server, port) = try TestAuthority.startServer(authority.makeIdentity())
        let calls = try await Strace.calls(
            "%file", of: ["doctor"], environment: ["NCLOUD_KMS_ENDPOINT": "https://127.0.0.1:\(port)"])
        #expect(calls.contains { $0.contains("\"\(Self.systemFolder)/") })
        #expect(!calls.contains { $0.contains("ca-certificates.crt") })
        withExtendedLifetime(server) {}
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
