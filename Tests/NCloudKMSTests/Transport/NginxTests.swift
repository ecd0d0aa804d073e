import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A server as the world runs it.
@Suite(.enabled(if: isExecutable(Nginx.program), "nginx is not installed")) struct NginxTests {
    private static let answer = #"default_type application/json; location / { return 200 '{"code":"SUCCESS"}'; }"#

    /// Keeps all connections busy until a number of transfers have ended, and gives all their outcomes.
    private func run(_ count: Int, _ request: HTTPRequest, on transfers: Transfers) throws -> [HTTPResponse] {
        var started = 0
        let outcomes = try transfers.run { outcomes in
            while transfers.multi.freeConnections > 0, started < count {
                _ = try transfers.start(request)
                started += 1
            }
            return outcomes.count == count
        }
        return try outcomes.values.map { try $0.get() }
    }

    @Test(arguments: [1, 7, 200])
    func `no request is lost when the server recycles its connections`(perConnection: Int) throws {
        let nginx = try Nginx(server: "keepalive_requests \(perConnection); \(Self.answer)")
        let transfers = try Transfers(.forTests(connections: 8))
        let responses = try run(600, .forTests("http://127.0.0.1:\(nginx.port)"), on: transfers)
        #expect(responses.count == 600)
        #expect(responses.allSatisfy { $0.status == 200 && $0.body == Array(#"{"code":"SUCCESS"}"#.utf8) })
        #expect(responses.count { !$0.reusedConnection } >= 600 / perConnection)
    }

    @Test func `connections with TLS are kept, too`() throws {
        let authority = try TestAuthority()
        let nginx = try Nginx(identity: authority.makeIdentity(), server: Self.answer)
        let transfers = try Transfers(.forTests(connections: 4, caFile: authority.file))
        let responses = try run(100, .forTests("https://127.0.0.1:\(nginx.port)"), on: transfers)
        #expect(responses.allSatisfy { $0.status == 200 })
        #expect(responses.count { !$0.reusedConnection } <= 4)
        #expect(responses.allSatisfy { ($0.timing.tls > 0) == !$0.reusedConnection })
        #expect(responses.allSatisfy { $0.headers.date?.hasSuffix(" GMT") == true })
    }

    @Test func `nginx's own errors are answers`() throws {
        let nginx = try Nginx(
            server: "client_max_body_size 1; location / { root /nonexistent; } location /gone { return 444; }")
        let baseURL = "http://127.0.0.1:\(nginx.port)"
        let transfers = try Transfers()
        #expect(try transfers.response(to: .forTests(baseURL, body: "{}")).status == 413)
        #expect(try transfers.response(to: .forTests(baseURL, body: "x")).status == 404)
        let dropped = try transfers.failure(of: .forTests(baseURL, target: "/gone", body: ""))
        #expect(dropped.kind == .connectionLost(.empty))
    }
}
