import Platform

/// A loopback port that answers no connection, as an address behind a silent firewall: the queue of its listener is
/// full, and nobody accepts.
package final class UnansweringPort: Sendable {
    /// More than the listener's queue holds, whose least length is 1.
    private static let connectionsThatFillIt = 4

    package let number: UInt16
    private let descriptors: [Int32]

    /// - Parameters:
    ///   - host: the last byte of 127.0.0.x.
    ///   - port: 0 is a free one.
    package init(host: UInt8 = 1, port: UInt16 = 0) throws {
        let (listener, port) = try PrivateDescriptors.listen(host: host, port: port, backlog: 0)
        number = port
        descriptors =
            try [listener]
            + (0..<Self.connectionsThatFillIt).map { _ in
                try PrivateDescriptors.beginConnecting(host: host, to: port)
            }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }
}
