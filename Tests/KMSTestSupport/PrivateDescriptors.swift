import KMSPlatform

/// Sockets that no child inherits. One that stays open in a child keeps its connection open after it was closed here.
///
/// The call that accepts with close-on-exec at once (`accept4`) is not in the C library as Swift imports it, so a lock
/// keeps children from being started between the two steps.
package enum PrivateDescriptors {
    private static let creation = Lock(())

    /// Accepts a connection that `poll` has reported.
    ///
    /// - Returns: -1 with `errno` if there is none.
    static func accept(_ listener: Int32) -> Int32 {
        creation.withLock { _ in
            let descriptor = KMSPlatform.accept(listener, nil, nil)
            if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            return descriptor
        }
    }

    static func whileNoneIsOpened<Result>(_ body: () -> Result) -> Result {
        creation.withLock { _ in body() }
    }

    /// Listens on a port of a loopback address.
    ///
    /// - Parameters:
    ///   - host: the last byte of 127.0.0.x.
    ///   - port: 0 takes a free one.
    static func listen(host: UInt8 = 1, port: UInt16 = 0, backlog: Int32) throws -> (descriptor: Int32, port: UInt16) {
        let listener = try socket()
        var address = loopback(host: host, port: port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withSocketAddress(&address) {
            bind(listener, $0, length) | KMSPlatform.listen(listener, backlog) | getsockname(listener, $0, &length)
        }
        guard status == 0 else {
            let error = PlatformError("bind, listen or getsockname")
            _ = close(listener)
            throw error
        }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// Begins to connect to a port of 127.0.0.x, and does not wait for the result.
    static func beginConnecting(host: UInt8 = 1, to port: UInt16) throws -> Int32 {
        let descriptor = try socket()
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = loopback(host: host, port: port)
        let status = withSocketAddress(&address) {
            KMSPlatform.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0 || errno == EINPROGRESS else {
            let error = PlatformError("connect")
            _ = close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Connects to a port of 127.0.0.1.
    package static func connect(to port: UInt16) throws -> Int32 {
        let descriptor = try beginConnecting(to: port)
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&entry, 1, -1) < 0, errno == EINTR {}
        // From here on it blocks. The first write reports what went wrong.
        _ = fcntl(descriptor, F_SETFL, 0)
        return descriptor
    }

    private static func socket(_ family: Int32 = AF_INET) throws -> Int32 {
        try creation.withLock { _ in try Descriptors.streamSocket(family) }
    }

    /// Listens on a Unix socket, with the shortest backlog.
    static func listen(unix path: String) throws -> Int32 {
        let listener = try socket(AF_UNIX)
        let status = withUnixAddress(path) { bind(listener, $0, $1) | KMSPlatform.listen(listener, 0) }
        guard status == 0 else {
            let error = PlatformError("bind or listen")
            _ = close(listener)
            throw error
        }
        return listener
    }

    /// Connects to a Unix socket until its backlog is full.
    ///
    /// - Returns: the connections that there was room for.
    static func fillBacklog(unix path: String) throws -> [Int32] {
        var descriptors: [Int32] = []
        do {
            while true {
                let descriptor = try socket(AF_UNIX)
                _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
                guard withUnixAddress(path, { KMSPlatform.connect(descriptor, $0, $1) }) == 0 else {
                    let error = PlatformError("connect")
                    close(descriptor)
                    guard error.errorNumber == EAGAIN else { throw error }
                    return descriptors
                }
                descriptors.append(descriptor)
            }
        } catch {
            for descriptor in descriptors { close(descriptor) }
            throw error
        }
    }

    private static func withUnixAddress<Result>(
        _ path: String, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func loopback(host: UInt8, port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (0x7F00_0000 | UInt32(host)).bigEndian
        return address
    }

    private static func withSocketAddress<Result>(
        _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}

/// A loopback port that does not answer, like an address that a firewall drops packets to: the queue of its listener is
/// full, and nothing is accepted.
package final class UnansweringPort: Sendable {
    /// More than the listener's queue holds, which has room for at least one.
    private static let connectionsThatFillIt = 4

    package let number: UInt16
    private let descriptors: [Int32]

    /// - Parameters:
    ///   - host: the last byte of 127.0.0.x.
    ///   - port: 0 takes a free one.
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

/// A Unix socket whose backlog is full, and that accepts nothing.
package final class UnacceptingSocket: Sendable {
    private let listener: Int32
    private let backlog: FullBacklog

    package init(_ path: String) throws {
        let listener = try PrivateDescriptors.listen(unix: path)
        do {
            backlog = try FullBacklog(path)
        } catch {
            close(listener)
            throw error
        }
        self.listener = listener
    }

    deinit {
        close(listener)
    }
}

/// Connections that fill the backlog of a Unix socket, until its owner accepts them. On Linux: on macOS, a full backlog
/// refuses a connection as if nobody listened.
package final class FullBacklog: Sendable {
    private let descriptors: [Int32]

    /// How many there was room for.
    package var count: Int { descriptors.count }

    package init(_ path: String) throws {
        descriptors = try PrivateDescriptors.fillBacklog(unix: path)
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }
}
