import Platform

/// The TCP connections that libcurl has open for one `CurlMulti`, with what libcurl does not tell of them.
///
/// libcurl 7.88 uses a kept connection although unread bytes wait on it, and before a request is written it does not say
/// which socket the request will go to. So every socket is noted when libcurl opens it, forgotten when libcurl closes it,
/// and found by its local port, which the pre-request callback is told.
///
/// Local ports are unique among connections to one peer. Connections to different peers may share a port. Then
/// all of them are looked at, and the worst that can follow is that a sound one is replaced.
final class ConnectionTable {
    private struct Connection {
        let descriptor: CInt
        /// Nil before its first request.
        var localPort: CInt?
        var isInUse = false
        var idleSince: Instant?
        var isCondemned = false
    }

    private let clock: any TimeSource
    private var connections: [Connection] = []
    /// Counts the turns of the `CurlMulti`.
    private(set) var turn: UInt64 = 0
    /// When the turn that runs now began.
    private(set) var turnStart: Instant

    init(clock: any TimeSource) {
        self.clock = clock
        turnStart = clock.now
    }

    func beginTurn() {
        turn &+= 1
        turnStart = clock.now
    }

    // MARK: What libcurl does

    func opened(_ descriptor: CInt) {
        connections.append(Connection(descriptor: descriptor))
    }

    func closed(_ descriptor: CInt) {
        connections.removeAll { $0.descriptor == descriptor }
    }

    // MARK: What transfers do

    /// Looks at the connection on which a request is about to be written, and notes that it is in use.
    ///
    /// - Parameter isEncrypted: what comes first on a new TLS connection is not looked at: it is session tickets. Servers
    ///   send them before their first answer, so that they are read by the time the connection is kept.
    /// - Returns: the check with what the table knows of it filled in, and the connection's descriptor.
    func take(
        localPort: CInt, isEncrypted: Bool, _ check: ConnectionCheck
    ) -> (check: ConnectionCheck, descriptor: CInt?) {
        place(localPort)
        var check = check
        var descriptor: CInt?
        for index in connections.indices where connections[index].localPort == localPort {
            let connection = connections[index]
            descriptor = connection.descriptor
            check.isKept = check.isKept || connection.idleSince != nil
            check.isCondemned = check.isCondemned || connection.isCondemned
            if connection.idleSince != nil || !isEncrypted {
                check.input = max(check.input, Self.input(connection.descriptor, isEncrypted))
            }
            if let idleSince = connection.idleSince { check.idle = max(check.idle, clock.now - idleSince) }
            connections[index].isInUse = true
        }
        return (check, descriptor)
    }

    /// A transfer is done with its connection, which may be closed by now.
    ///
    /// - Parameter isSound: false if the connection is not to be used again.
    func release(localPort: CInt, isSound: Bool) {
        for index in connections.indices where connections[index].localPort == localPort {
            connections[index].isInUse = false
            connections[index].idleSince = clock.now
            if !isSound { condemn(index) }
        }
    }

    /// A kept connection was dead: those that are idle now shared its fate, as far as anybody knows.
    func condemnIdle() {
        for index in connections.indices where connections[index].idleSince != nil && !connections[index].isInUse {
            condemn(index)
        }
    }

    /// Ends a connection that libcurl has in its pool, as the peer would: libcurl then finds it dead and chooses another.
    private func condemn(_ index: Int) {
        connections[index].isCondemned = true
        shutdown(connections[index].descriptor, CInt(SHUT_RDWR))
    }

    // MARK: Peers that say more than they are asked

    /// For how long kept connections are not trusted once a surplus answer was seen. Often the next one would be, too,
    /// but not if it comes just after the look.
    private static let longestDistrust = Duration.seconds(60)

    private var distrustEnd: Instant?

    /// Whether every request must have a connection of its own.
    var distrustsKept: Bool { distrustEnd.map { clock.now < $0 } ?? false }

    private var hasNewDistrust = false

    /// A peer gave more than one answer to a request.
    func sawSurplus() {
        if !distrustsKept { hasNewDistrust = true }
        distrustEnd = clock.now + Self.longestDistrust
    }

    /// Whether distrust has begun since this was last asked.
    func takeNewDistrust() -> Bool {
        defer { hasNewDistrust = false }
        return hasNewDistrust
    }

    /// Finds out the local ports of new connections, if the port is that of none that is known.
    private func place(_ localPort: CInt) {
        for index in connections.indices where connections[index].localPort == nil {
            if let port = Self.localPort(of: connections[index].descriptor), port == localPort {
                connections[index].localPort = port
            }
        }
    }

    private static func localPort(of descriptor: CInt) -> CInt? {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            let status = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
            guard status == 0 else { return nil }
            switch CInt(storage.pointee.ss_family) {
            case AF_INET:
                return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    CInt(UInt16(bigEndian: $0.pointee.sin_port))
                }
            case AF_INET6:
                return storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    CInt(UInt16(bigEndian: $0.pointee.sin6_port))
                }
            default: return nil
            }
        }
    }

    private static func input(_ descriptor: CInt, _ isEncrypted: Bool) -> ConnectionCheck.Input {
        let capacity = ConnectionCheck.Input.longestAlert + 1
        let count = withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 1) {
            recv(descriptor, $0.baseAddress, capacity, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
        }
        if count >= 0 { return ConnectionCheck.Input(count: count, isEncrypted: isEncrypted) }
        return errno == EAGAIN || errno == EWOULDBLOCK ? .nothing : .end
    }

    /// Whether the peer has not yet acknowledged all that was written to a socket.
    static func hasUnacknowledgedOutput(_ descriptor: CInt) -> Bool {
        #if os(Linux)
        var count: CInt = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 && count > 0
        #else
        return false
        #endif
    }

    /// Makes the system give up an attempt to connect that nobody answers.
    ///
    /// libcurl's own time-out counts names, proxies and TLS, too. An error only leaves the system's default of minutes.
    static func limitConnecting(_ descriptor: CInt, to limit: Duration) {
        setUserTimeout(descriptor, milliseconds: CUnsignedInt(clamping: max(1, limit.millisecondsRoundedUp)))
    }

    /// Once a connection stands, slowness is the transfer's to judge.
    static func endLimitOfConnecting(_ descriptor: CInt) {
        setUserTimeout(descriptor, milliseconds: 0)
    }

    /// RFC 5482's time-out; on Linux it counts for unanswered SYNs, too (tcp(7), TCP_USER_TIMEOUT).
    private static func setUserTimeout(_ descriptor: CInt, milliseconds: CUnsignedInt) {
        #if os(Linux)
        var value = milliseconds
        _ = setsockopt(
            descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, socklen_t(MemoryLayout<CUnsignedInt>.size))
        #endif
    }
}
