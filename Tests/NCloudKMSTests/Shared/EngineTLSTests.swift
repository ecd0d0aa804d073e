import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A real engine over TLS.
@Suite(.enabled(if: hasRedis, "redis-server is not installed")) struct EngineTLSTests {
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority()
    }

    private func fixture(
        port: UInt16, host: String = "127.0.0.1", caFile: String?, client: TestAuthority.Identity? = nil,
        password: SharedStateConfiguration.Password = .none
    ) throws -> EngineFixture {
        try EngineFixture(
            SharedStateConfiguration(
                address: EngineAddress("rediss://\(host):\(port)"), password: password,
                caFile: caFile.map { CertificateFile(path: $0) }, clientCertificate: client?.certificate,
                clientKey: client?.key, commandTimeout: .seconds(10)))
    }

    /// The loss, at once or, in TLS 1.3, only after the client believes that it is connected.
    private func loss(of engine: EngineFixture) throws -> EngineLoss {
        if let loss = engine.open() { return loss }
        return try #require(engine.next())
    }

    @Test func `commands and replies of any size get through`() throws {
        let server = try RedisServer(identity: authority.makeIdentity("server"))
        for host in ["127.0.0.1", "localhost"] {
            let engine = try fixture(port: server.port, host: host, caFile: authority.file)
            #expect(engine.open() == nil)
            try checkLargeTransfers(engine)
        }
    }

    @Test func `an engine that stops is lost, and one that is killed`() throws {
        let server = try RedisServer(identity: authority.makeIdentity("server"))
        let engine = try EngineFixture(
            SharedStateConfiguration(
                address: EngineAddress("rediss://127.0.0.1:\(server.port)"),
                caFile: CertificateFile(path: authority.file), commandTimeout: .seconds(1)))
        #expect(engine.open() == nil)
        server.pause()
        #expect(engine.reply(to: EngineCommand("PING")) == nil)
        #expect(engine.next()?.message.contains("1000 ms") == true)
        // Here TLS needs an answer to begin.
        let hanging = try #require(engine.open())
        #expect(hanging.message.contains("while setting up TLS"), "\(hanging.message)")
        server.resume()
        #expect(engine.open() == nil)
        server.kill()
        let loss = try #require(engine.next())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.hasSuffix(" the connection"), "\(loss.message)")
    }

    struct Server: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var subjects: String? = "IP:127.0.0.1"
        var days = 30
        var isSelfSigned = false
        var options: [String] = []
        var problem: String
    }

    @Test(arguments: [
        Server(testDescription: "expired", days: -1, problem: "its certificate has expired"),
        Server(
            testDescription: "wrong name", subjects: "DNS:redis.example.com",
            problem: "its certificate is for another host"),
        Server(testDescription: "no name", subjects: nil, problem: "no subjectAltName"),
        Server(testDescription: "self-signed", isSelfSigned: true, problem: "its certificate is self-signed"),
        Server(
            testDescription: "TLS 1.1",
            options: ["--tls-protocols", "TLSv1.1", "--tls-ciphers", "DEFAULT:@SECLEVEL=0"],
            problem: "does not support TLS 1.2 or newer"),
    ])
    func `an engine that can't prove who it is gets no command`(server description: Server) throws {
        let identity = try authority.makeIdentity(
            "server", subjects: description.subjects, days: description.days, isSelfSigned: description.isSelfSigned)
        let server = try RedisServer(description.options, identity: identity)
        let engine = try fixture(port: server.port, caFile: authority.file, password: .text(SecretBytes("hunter2")))
        let loss = try #require(engine.open())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains(description.problem), "\(loss.message)")
        #expect(try server.command("INFO", "commandstats").contains("cmdstat_auth") == false)
    }

    @Test func `an authority that is not in the file is not trusted, nor are the system's when a file is given`() throws
    {
        let server = try RedisServer(identity: authority.makeIdentity("server"))
        let other = try TestAuthority()
        for file in [other.file, nil] {
            let loss = try #require(try fixture(port: server.port, caFile: file).open())
            #expect(loss.message.contains("signed by an authority that is not trusted here"), "\(loss.message)")
        }
        let missing = try #require(try fixture(port: server.port, caFile: "/nonexistent/ca.pem").open())
        #expect(missing.message.contains("/nonexistent/ca.pem"), "\(missing.message)")
    }

    @Test func `a server without TLS is refused`() throws {
        let plain = try RawResponder { connection in
            try connection.readSome()
            try connection.send("-ERR unknown command\r\n")
        }
        defer { plain.stop() }
        let loss = try #require(try fixture(port: plain.port, caFile: authority.file).open())
        #expect(loss.kind == .unreachable)
        #expect(loss.message.contains("does not support TLS 1.2 or newer"), "\(loss.message)")
    }

    @Test func `an engine that wants a client certificate gets it`() throws {
        let server = try RedisServer(identity: authority.makeIdentity("server"), clientAuthority: authority)
        let client = try authority.makeIdentity("client", subjects: nil)
        let engine = try fixture(port: server.port, caFile: authority.file, client: client)
        #expect(engine.open() == nil)
        #expect(engine.reply(to: EngineCommand("PING")) == .status(Array("PONG".utf8)))

        let without = try loss(of: fixture(port: server.port, caFile: authority.file))
        #expect(without.kind == .unreachable)
        #expect(without.message.contains("a client certificate, and there is none to send"), "\(without.message)")

        let other = try TestAuthority()
        let stranger = try other.makeIdentity("client", subjects: nil)
        let refused = try loss(of: fixture(port: server.port, caFile: authority.file, client: stranger))
        #expect(refused.kind == .unreachable, "\(refused.message)")
    }

    @Test func `a client certificate that can't be used is an error that says so`() throws {
        let server = try RedisServer(identity: authority.makeIdentity("server"), clientAuthority: authority)
        let client = try authority.makeIdentity("client", subjects: nil)
        let other = try authority.makeIdentity("other", subjects: nil)
        let directory = try TemporaryDirectory()
        let encrypted = directory.path("encrypted.key")
        try ChildProcess.run(
            "/usr/bin/openssl", ["pkey", "-in", client.key, "-aes256", "-passout", "pass:hunter2", "-out", encrypted])
        let cases: [(TestAuthority.Identity, EngineLoss.Kind, String)] = [
            (.init(certificate: client.certificate, key: other.key), .unreachable, "check both PEM files"),
            (.init(certificate: client.certificate, key: encrypted), .unreachable, "check both PEM files"),
            (.init(certificate: client.key, key: client.key), .unreachable, "check both PEM files"),
            (.init(certificate: directory.path("missing"), key: client.key), .credentials, directory.path("missing")),
            (.init(certificate: client.certificate, key: directory.path), .credentials, "it is a directory"),
        ]
        for (identity, kind, text) in cases {
            let loss = try #require(try fixture(port: server.port, caFile: authority.file, client: identity).open())
            #expect(loss.kind == kind)
            #expect(loss.message.contains(text), "\(loss.message)")
        }
    }
}
