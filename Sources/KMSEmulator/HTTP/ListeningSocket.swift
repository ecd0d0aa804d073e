import KMSPlatform

/// A TCP socket that listens on one address of the machine, or on all of them.
struct ListeningSocket {
    /// The maximum number of connections that wait to be accepted: enough for bursts in tests.
    private static let backlog: Int32 = 1_024

    let descriptor: Int32
    let port: UInt16

    /// - Parameters:
    ///   - address: `::` also listens on all IPv4 addresses, if the system supports both.
    ///   - port: 0 picks a free one.
    /// - Throws: `EADDRINUSE` if the port is taken, `EADDRNOTAVAIL` if the address does not belong to this machine.
    init(address: IPAddress, port: UInt16) throws(PlatformError) {
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let descriptor = try Descriptors.streamSocket(family, call: "socket for \(address.urlHost)")
        do {
            self.port = try Self.prepare(descriptor, address, port: port)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    private static func prepare(
        _ descriptor: Int32, _ address: IPAddress, port: UInt16
    ) throws(PlatformError) -> UInt16 {
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw PlatformError("fcntl") }
        // Lets a port be reused at once, even if connections of its last user are still in TIME_WAIT.
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        // The system's default varies. On a system without IPv4 this fails, without consequences.
        if address.isIPv6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.isUnspecified ? 0 : 1) }

        let isBound = address.withSocketAddress(port: port) { bind(descriptor, $0, $1) == 0 }
        guard isBound else { throw PlatformError("bind to \(address.urlHost):\(port)") }
        guard listen(descriptor, backlog) == 0 else { throw PlatformError("listen") }
        return try boundPort(of: descriptor)
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func boundPort(of descriptor: Int32) throws(PlatformError) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard status == 0 else { throw PlatformError("getsockname") }
        // The port is at the same offset in `sockaddr_in` and `sockaddr_in6`.
        return withUnsafeBytes(of: &storage) { UInt16(bigEndian: $0.loadUnaligned(as: sockaddr_in.self).sin_port) }
    }
}
