import CKMSOpenSSL
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// A proxy that is spoken to by TLS: what its TLS has decrypted is neither in the socket nor in the service's TLS.
@Suite(.timeLimit(.minutes(5))) struct TLSProxyTests {
    /// A proxy that plays the service, too, and puts whatever the service has to say at a time into one record.
    private static func startProxy(
        _ authority: TestAuthority, serviceVersion: CInt,
        answer: @escaping @Sendable (_ service: TLSServerEnd, _ target: String, _ connection: Int) throws -> Void
    ) throws -> RawResponder {
        let identity = try authority.makeIdentity()
        let proxyContext = try TLSServerContext(identity, version: TLS1_3_VERSION)
        let serviceContext = try TLSServerContext(identity, version: serviceVersion)
        return try RawResponder { connection in
            try connection.withDescriptor { descriptor in
                let proxy = try TLSServerEnd(proxyContext, socket: descriptor)
                _ = try proxy.readTarget()
                try proxy.write("HTTP/1.1 200 Connection established\r\n\r\n")
                let service = try TLSServerEnd(serviceContext, inside: proxy)
                while true { try answer(service, try service.readTarget(), connection.number) }
            }
        }
    }

    private static func transfers(_ authority: TestAuthority, _ proxy: RawResponder) throws -> Transfers {
        try Transfers(
            .forTests(
                caFile: authority.file, proxy: try ProxyConfiguration(url: "https://127.0.0.1:\(proxy.port)")))
    }

    /// The certificate is for it; nothing is connected to.
    private static let baseURL = "https://localhost:9"

    @Test func `a second answer in the proxy's record is not the next one's`() throws {
        let authority = try TestAuthority()
        let proxy = try Self.startProxy(authority, serviceVersion: TLS1_2_VERSION) { service, target, _ in
            try service.write(
                RawResponder.answer("200 OK", body: target + String(repeating: " ", count: 5_000)),
                RawResponder.answer("200 OK", body: "/surplus"))
        }
        let transfers = try Self.transfers(authority, proxy)
        for number in 1...3 {
            let response = try transfers.response(to: .forTests(Self.baseURL, target: "/\(number)"))
            #expect(String(decoding: response.body, as: UTF8.self).split(separator: " ") == ["/\(number)"])
            #expect(!response.reusedConnection)
        }
        #expect(proxy.connectionCount == 3)
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `session tickets and the answer in one record of the proxy's are read at once`(version: CInt) throws {
        let authority = try TestAuthority()
        let proxy = try Self.startProxy(authority, serviceVersion: version) { service, target, _ in
            try service.write(RawResponder.answer("200 OK", body: target))
        }
        let request = HTTPRequest.forTests(Self.baseURL, target: "/1", timeout: .seconds(5))
        let response = try Self.transfers(authority, proxy).response(to: request)
        #expect(String(decoding: response.body, as: UTF8.self) == "/1")
    }
}
