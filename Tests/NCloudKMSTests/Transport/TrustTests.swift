import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// Servers that must not be trusted, and one that may.
@Suite struct TrustTests {
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority()
    }

    struct Server: Sendable, CustomTestStringConvertible {
        var name: String
        var subjects: String? = "IP:127.0.0.1"
        var host = "127.0.0.1"
        var days = 30
        var isSelfSigned = false
        var options: [String] = []
        /// nil: it is trusted.
        var fault: TransportFailure.TrustFault?

        var testDescription: String { name }
    }

    @Test func `a wrong certificate of an HTTPS proxy is told as the proxy's`() throws {
        let identity = try authority.makeIdentity(
            "proxy-wrong-host", subjects: "DNS:proxy.example.com", days: 30, isSelfSigned: false)
        let (process, port) = try TestAuthority.startServer(identity, options: [])
        try withExtendedLifetime(process) {
            let proxy = try ProxyConfiguration(url: "https://127.0.0.1:\(port)")
            let transfers = try Transfers(.forTests(caFile: authority.file, proxy: proxy))
            let request = HTTPRequest(method: .get, baseURL: "https://kms.example.com", target: "/")
            #expect(try transfers.failure(of: request).kind == .proxy(.untrusted(.wrongHost)))
        }
    }

    private func get(
        _ port: UInt16, host: String = "127.0.0.1", caFile: String?
    ) throws -> Result<HTTPResponse, TransportFailure> {
        let request = HTTPRequest(method: .get, baseURL: "https://\(host):\(port)", target: "/")
        return try Transfers(.forTests(caFile: caFile)).outcome(of: request)
    }

    @Test(arguments: [
        Server(name: "good"),
        Server(name: "tls12", options: ["-tls1_2"]),
        Server(name: "expired", days: -1, fault: .expired),
        Server(name: "self-signed", isSelfSigned: true, fault: .selfSigned),
        Server(name: "wrong-host", subjects: "DNS:kms.example.com", fault: .wrongHost),
        Server(name: "tls11", options: ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], fault: .protocolVersion),
        Server(
            name: "no-cipher", options: ["-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0"], fault: .noCommonCipher),
        Server(name: "localhost", subjects: "DNS:localhost", host: "localhost"),
        // The common name is the host, and counts for nothing; nor does a name of another kind than a host's.
        Server(name: "localhost", subjects: nil, host: "localhost", fault: .noAlternativeName),
        Server(name: "localhost", subjects: "email:a@b.example", host: "localhost", fault: .noAlternativeName),
        Server(name: "127.0.0.1", subjects: nil, fault: .noAlternativeName),
        Server(name: "asks", options: ["-verify", "1"]),
        Server(
            name: "demands-in-tls12", options: ["-tls1_2", "-Verify", "1", "-verify_return_error"],
            fault: .clientCertificateRequired),
        Server(
            name: "demands-in-tls13", options: ["-tls1_3", "-Verify", "1", "-verify_return_error"],
            fault: .clientCertificateRequired),
    ])
    func `a server is trusted or refused by its certificate and its protocol`(server: Server) throws {
        let identity = try authority.makeIdentity(
            server.name, subjects: server.subjects, days: server.days, isSelfSigned: server.isSelfSigned)
        let (process, port) = try TestAuthority.startServer(identity, options: server.options)
        try withExtendedLifetime(process) {
            switch try get(port, host: server.host, caFile: authority.file) {
            case .success(let response):
                #expect(server.fault == nil)
                #expect(response.status == 200)
                #expect(response.timing.tls > 0)
            case .failure(let failure):
                #expect(failure.kind == server.fault.map { .untrusted($0) })
                #expect(failure.repetition == .never)
            }
        }
    }

    @Test func `an authority that is not in the file is not trusted, nor are the system's when a file is given`() throws
    {
        let other = try TestAuthority()
        let (process, port) = try TestAuthority.startServer(authority.makeIdentity("unknown"))
        try withExtendedLifetime(process) {
            for file in [nil, other.file] {
                guard case .failure(let failure) = try get(port, caFile: file) else {
                    Issue.record("trusted with \(file ?? "the system's authorities")")
                    continue
                }
                #expect(failure.kind == .untrusted(.unknownAuthority))
                #expect(failure.repetition == .never)
            }
        }
    }

    @Test func `a file of authorities that is missing is told, and not repeated`() throws {
        let (process, port) = try TestAuthority.startServer(authority.makeIdentity("missing"))
        try withExtendedLifetime(process) {
            guard case .failure(let failure) = try get(port, caFile: "/nonexistent/ca.pem") else {
                Issue.record("trusted without authorities")
                return
            }
            guard case .untrusted(.noAuthorities(let problem)) = failure.kind else {
                Issue.record("\(failure)")
                return
            }
            #expect(problem.contains("/nonexistent/ca.pem") && problem.contains("No such file"))
            #expect(failure.repetition == .never)
        }
    }

    @Test func `an authority that has expired is told from a server's certificate that has`() throws {
        let expired = try TestAuthority(days: -1)
        let (process, port) = try TestAuthority.startServer(expired.makeIdentity())
        try withExtendedLifetime(process) {
            guard case .failure(let failure) = try get(port, caFile: expired.file) else {
                Issue.record("trusted by an authority that has expired")
                return
            }
            #expect(failure.kind == .untrusted(.expiredAuthority))
        }
    }

    @Test func `neither a session nor a kept connection outlives a change of the authorities`() throws {
        let folder = try TemporaryDirectory()
        let other = try TestAuthority()
        let file = folder.path("ca.pem")
        let (process, port) = try TestAuthority.startServer(authority.makeIdentity("sessions"))
        try withExtendedLifetime(process) {
            let transfers = try Transfers(.forTests(caFile: file))
            let request = HTTPRequest(method: .get, baseURL: "https://127.0.0.1:\(port)", target: "/")
            for _ in 0..<2 {
                try folder.write(try contents(of: authority.file), to: "ca.pem")
                // The server ends each connection, so the second resumes the first's session.
                for _ in 0..<2 { #expect(try transfers.response(to: request).status == 200) }
                try folder.write(try contents(of: other.file), to: "ca.pem")
                #expect(try transfers.failure(of: request).kind == .untrusted(.unknownAuthority))
                try folder.write(try contents(of: other.file) + contents(of: authority.file), to: "ca.pem")
                #expect(try transfers.response(to: request).status == 200)
            }
        }
    }

    private func contents(of path: String) throws -> String {
        String(decoding: try FileContents.of(path), as: UTF8.self)
    }

    @Test func `a server without TLS is not trusted`() throws {
        let responder = try RawResponder([.send("HTTP/1.1 400 Bad Request\r\n\r\n"), .waitUntilPeerCloses])
        guard case .failure(let failure) = try get(responder.port, caFile: nil) else {
            Issue.record("trusted without TLS")
            return
        }
        #expect(failure.kind == .untrusted(.protocolVersion))
    }

    @Test(arguments: [[.reset], [.send("")]] as [[RawResponder.Step]])
    func `a connection that breaks in the handshake is no question of trust`(script: [RawResponder.Step]) throws {
        let responder = try RawResponder { connection in
            // After the client's first words, so that it is in the handshake.
            try connection.readSome()
            if case .reset = script[0] { connection.reset() }
        }
        guard case .failure(let failure) = try get(responder.port, caFile: nil) else {
            Issue.record("trusted without TLS")
            return
        }
        guard case .connectionLost = failure.kind else {
            Issue.record("\(failure)")
            return
        }
        #expect(failure.repetition == .afterBackoff)
    }
}
