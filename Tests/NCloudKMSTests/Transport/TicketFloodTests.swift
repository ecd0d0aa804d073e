import CKMSOpenSSL
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// TLS records that carry no data: OpenSSL would read them for as long as they come.
@Suite(.timeLimit(.minutes(5))) struct TicketFloodTests {
    private static let ticketCount = 200

    /// A TLS 1.3 server that puts session tickets before its answer.
    private static func serve(_ descriptor: CInt, _ context: OpaquePointer) {
        guard let connection = SSL_new(context) else { return }
        defer { SSL_free(connection) }
        SSL_set_fd(connection, descriptor)
        guard SSL_accept(connection) == 1 else { return }
        var request = [UInt8](repeating: 0, count: 4_096)
        guard SSL_read(connection, &request, CInt(request.count)) > 0 else { return }
        for _ in 0..<ticketCount { _ = SSL_new_session_ticket(connection) }
        let answer = Array(RawResponder.answer("200 OK").utf8)
        SSL_write(connection, answer, CInt(answer.count))
        // Until the client is done with it.
        SSL_read(connection, &request, CInt(request.count))
    }

    @Test func `others have their turn between any two session tickets`() throws {
        let authority = try TestAuthority()
        let identity = try authority.makeIdentity()
        // It is used by the one connection alone.
        nonisolated(unsafe) let context = try #require(SSL_CTX_new(TLS_server_method()))
        defer { SSL_CTX_free(context) }
        try #require(SSL_CTX_use_certificate_chain_file(context, identity.certificate) == 1)
        try #require(SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM) == 1)
        let server = try RawResponder { connection in connection.withDescriptor { Self.serve($0, context) } }
        let transfers = try Transfers(.forTests(caFile: authority.file))
        let id = try transfers.start(.forTests("https://127.0.0.1:\(server.port)"))
        var turns = 0
        let outcomes = try transfers.run { outcomes in
            turns += 1
            return !outcomes.isEmpty
        }
        #expect(try outcomes[id]?.get().status == 200)
        #expect(turns >= Self.ticketCount)
    }
}
