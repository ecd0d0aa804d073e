import CKMSOpenSSL
import KMSPlatform
import KMSTestSupport

@testable import NCloudKMS

/// What TLS servers have in common: certificate, key and version.
final class TLSServerContext: @unchecked Sendable {
    // Sendable: OpenSSL lets several threads make connections from one context, which is not changed here after its setup.
    fileprivate let handle: OpaquePointer

    struct Failure: Error {}

    /// - Parameter version: `TLS1_2_VERSION` or `TLS1_3_VERSION`.
    init(_ identity: TestAuthority.Identity, version: CInt) throws {
        guard let handle = SSL_CTX_new(TLS_server_method()) else { throw Failure() }
        self.handle = handle
        guard SSL_CTX_use_certificate_chain_file(handle, identity.certificate) == 1,
            SSL_CTX_use_PrivateKey_file(handle, identity.key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_ctrl(handle, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(version), nil) == 1,
            SSL_CTX_ctrl(handle, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil) == 1
        else { throw Failure() }
    }

    deinit { SSL_CTX_free(handle) }
}

/// A server's end of one TLS connection. Calls block; an error ends the connection.
final class TLSServerEnd {
    private let handle: OpaquePointer
    /// Of a connection inside another one: what it is about to read, and what it has written.
    private let input: OpaquePointer?
    private let output: OpaquePointer?
    private let carrier: TLSServerEnd?

    /// On a socket.
    init(_ context: TLSServerContext, socket: CInt) throws {
        guard let handle = SSL_new(context.handle) else { throw TLSServerContext.Failure() }
        self.handle = handle
        (input, output, carrier) = (nil, nil, nil)
        // Else the system holds back a second record until the first is acknowledged.
        var isOn: CInt = 1
        setsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<CInt>.size))
        SSL_set_fd(handle, socket)
        guard SSL_accept(handle) == 1 else { throw TLSServerContext.Failure() }
    }

    /// Inside another connection. Session tickets that follow the handshake go out with the first answer.
    init(_ context: TLSServerContext, inside carrier: TLSServerEnd) throws {
        guard let handle = SSL_new(context.handle), let input = BIO_new(BIO_s_mem()), let output = BIO_new(BIO_s_mem())
        else { throw TLSServerContext.Failure() }
        self.handle = handle
        (self.input, self.output, self.carrier) = (input, output, carrier)
        SSL_set_bio(handle, input, output)
        while true {
            let status = SSL_accept(handle)
            // In TLS 1.2 the last word of the handshake is the server's.
            if status != 1 || SSL_version(handle) == TLS1_2_VERSION { try flush() }
            if status == 1 { return }
            try fill(after: status)
        }
    }

    deinit { SSL_free(handle) }

    /// What is there of the peer's bytes, or comes next.
    func read() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = SSL_read(handle, &bytes, CInt(bytes.count))
            if count > 0 { return Array(bytes.prefix(Int(count))) }
            try fill(after: count)
        }
    }

    /// The target of the next request, which is read whole: its body is `{}` if it has one.
    func readTarget() throws -> String {
        var text = ""
        while !text.hasSuffix("\r\n\r\n{}"), !(text.hasPrefix("CONNECT ") && text.hasSuffix("\r\n\r\n")) {
            text += String(decoding: try read(), as: UTF8.self)
        }
        return String(text.split(separator: " ")[1])
    }

    /// Writes a record for each of the texts: inside another connection all within one record of that one.
    func write(_ texts: String...) throws {
        for text in texts {
            let bytes = Array(text.utf8)
            guard SSL_write(handle, bytes, CInt(bytes.count)) == bytes.count else { throw TLSServerContext.Failure() }
        }
        try flush()
    }

    private func flush() throws {
        guard let output, let carrier else { return }
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(output))
        guard !bytes.isEmpty, BIO_read(output, &bytes, CInt(bytes.count)) == bytes.count else { return }
        guard SSL_write(carrier.handle, bytes, CInt(bytes.count)) == bytes.count else {
            throw TLSServerContext.Failure()
        }
    }

    private func fill(after status: CInt) throws {
        guard let input, let carrier, SSL_get_error(handle, status) == SSL_ERROR_WANT_READ else {
            throw TLSServerContext.Failure()
        }
        let bytes = try carrier.read()
        BIO_write(input, bytes, CInt(bytes.count))
    }
}
