import Platform

/// A proxy that knows CONNECT (RFC 9110, section 9.3.6) and leads every connection to one port of this machine,
/// whatever host was asked for.
package final class ConnectProxy: Sendable {
    private let responder: RawResponder

    package var url: String { responder.baseURL }

    /// What was asked of it, in order.
    package var requests: [RawConnection.Request] { responder.requests }

    package init(leadingTo port: UInt16) throws {
        responder = try RawResponder { client in
            try client.readRequest()
            let service = try PrivateDescriptors.connect(to: port)
            defer { close(service) }
            try client.send("HTTP/1.1 200 Connection established\r\n\r\n")
            try client.relay(to: service)
        }
    }

    package func stop() { responder.stop() }
}
