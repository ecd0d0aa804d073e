import Platform

/// A TCP socket that listens on 127.0.0.1 and on no other address.
struct ListeningSocket {
    /// Connections that wait to be accepted: enough for the bursts that tests make.
    private static let backlog: Int32 = 1_024

    let descriptor: Int32
    let port: UInt16

    /// - Parameter port: 0 takes a free one.
    /// - Throws: `PlatformError`; `EADDRINUSE` when somebody else listens there.
    init(port: UInt16) throws(PlatformError) {
        #if os(Linux)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw PlatformError("socket") }
        do {
            self.port = try Self.prepare(descriptor, port: port)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    private static func prepare(_ descriptor: Int32, port: UInt16) throws(PlatformError) -> UInt16 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw PlatformError("fcntl") }
        // A port can be taken again at once, although connections of its last user are still in TIME_WAIT.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))

        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else { throw PlatformError("bind to 127.0.0.1:\(port)") }
        guard listen(descriptor, backlog) == 0 else { throw PlatformError("listen") }
        return UInt16(bigEndian: address.sin_port)
    }
}
