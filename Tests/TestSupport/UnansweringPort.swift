import Platform

/// A loopback port that answers no connection, as an address behind a silent firewall: the queue of its listener is
/// full, and nobody accepts.
package final class UnansweringPort: Sendable {
    /// More than the listener's queue holds, whose least length is 1.
    private static let connectionsThatFillIt = 4

    package let number: UInt16
    private let descriptors: [Int32]

    package init() throws {
        let (listener, port) = try PrivateDescriptors.listen(backlog: 0)
        number = port
        descriptors =
            try [listener]
            + (0..<Self.connectionsThatFillIt).map { _ in
                try PrivateDescriptors.beginConnecting(to: port)
            }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }
}
