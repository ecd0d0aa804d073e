import KMSPlatform

/// The TCP connections that libcurl has open for one `CurlMulti`, with the information that libcurl does not provide.
///
/// libcurl 7.88 reuses a connection although unread bytes are waiting on it, and before it writes a request it does not
/// say which socket the request will use. So every socket is recorded when libcurl opens it; removed when libcurl says
/// that it closes it, or when another socket gets its number; and found by its local port and its peer, which the
/// pre-request callback receives.
///
/// Nor does libcurl say when a transfer releases its connection: within one turn it may give the connection to another
/// transfer. So each connection knows its last user, and only that one can return it.
final class ConnectionTable {
    private struct Connection {
        let descriptor: CInt
        /// Nil before its first request.
        var ends: Ends?
        /// Collects the answer to the last request; nil once the request's transfer has returned the connection.
        var user: ResponseCollector?
        /// When it was last returned.
        var idleSince: Instant?
        var hasCarriedRequest = false
        var isCondemned = false
    }

    /// Distinguishes a connection from all others.
    struct Ends {
        let localPort: CInt
        let peerPort: CInt
        /// In the form of `inet_ntop`, with a zero at the end; nil if the peer was gone before it could be queried.
        let peerAddress: [CChar]?

        func areThose(localPort: CInt, peerPort: CInt, peerAddress: UnsafePointer<CChar>) -> Bool {
            guard self.localPort == localPort else { return false }
            guard let known = self.peerAddress else { return true }
            return self.peerPort == peerPort && strcmp(known, peerAddress) == 0
        }
    }

    private let clock: any TimeSource
    private var connections: [Connection] = []
    /// Counts the turns of the `CurlMulti`.
    private(set) var turn: UInt64 = 0
    /// When the current turn began.
    private(set) var turnStart: Instant

    init(clock: any TimeSource) {
        self.clock = clock
        turnStart = clock.now
    }

    func beginTurn() {
        turn &+= 1
        turnStart = clock.now
    }

    // MARK: Actions of libcurl

    func opened(_ descriptor: CInt) {
        connections.append(Connection(descriptor: descriptor))
        hasOpened = true
    }

    /// A transfer that opened these has ended. libcurl does not report that it closes a socket whose TCP connection was
    /// never established.
    func forgetUnused(_ descriptors: [CInt]) {
        guard !descriptors.isEmpty else { return }
        connections.removeAll { !$0.hasCarriedRequest && descriptors.contains($0.descriptor) }
    }

    private var hasOpened = false

    /// Whether a connection has been opened since the last call.
    func takeOpened() -> Bool {
        defer { hasOpened = false }
        return hasOpened
    }

    func closed(_ descriptor: CInt) {
        connections.removeAll { $0.descriptor == descriptor }
    }

    // MARK: Actions of transfers

    /// Checks the connection to which a request is about to be written, and records its user.
    ///
    /// - Parameters:
    ///   - user: collects the answer.
    ///   - isEncrypted: on a new TLS connection the first bytes are not checked: they are session tickets. Servers send
    ///     them before their first answer, so that they have been read by the time the connection is kept.
    /// - Returns: the check, completed with the table's information, and the connection's descriptor.
    func take(
        localPort: CInt, peerPort: CInt, peerAddress: UnsafePointer<CChar>, for user: ResponseCollector,
        isEncrypted: Bool, _ check: ConnectionCheck
    ) -> (check: ConnectionCheck, descriptor: CInt?) {
        place(localPort)
        var check = check
        var descriptor: CInt?
        for index in connections.indices {
            let connection = connections[index]
            guard let ends = connection.ends,
                ends.areThose(localPort: localPort, peerPort: peerPort, peerAddress: peerAddress)
            else { continue }
            descriptor = connection.descriptor
            check.isKept = check.isKept || connection.hasCarriedRequest
            // The last user may have ended in this turn, and not have returned it yet.
            let hasSurplus = connection.user?.hasSurplus ?? false
            check.isCondemned = check.isCondemned || connection.isCondemned || hasSurplus
            if connection.hasCarriedRequest || !isEncrypted {
                check.input = max(check.input, Self.input(connection.descriptor, isEncrypted))
            }
            if let idleSince = connection.idleSince { check.idle = max(check.idle, clock.now - idleSince) }
            connections[index].user = user
            connections[index].idleSince = nil
            connections[index].hasCarriedRequest = true
        }
        return (check, descriptor)
    }

    /// A transfer has finished with its connection, which may be closed by now, or be another transfer's.
    ///
    /// - Parameter isSound: false if the connection must not be reused.
    func release(by user: ResponseCollector, isSound: Bool) {
        for index in connections.indices where connections[index].user === user {
            connections[index].user = nil
            connections[index].idleSince = clock.now
            if !isSound { condemn(index) }
        }
    }

    /// A kept connection was dead: assumes the same of those that are idle now.
    func condemnIdle() {
        doubt = nil
        for index in connections.indices where connections[index].idleSince != nil { condemn(index) }
    }

    /// How long a kept connection was silent before its transfer was given up, while the other kept ones are in doubt.
    private var doubt: Duration?

    /// Whether requests should use new connections until an answer shows whether the kept ones are dead.
    var doubtsKept: Bool { doubt != nil }

    /// A transfer on a kept connection was given up before it had an answer.
    func doubtKept(after silence: Duration) { doubt = max(doubt ?? .zero, silence) }

    /// An answer began this long after its request. If an earlier wait without an answer was longer, a slow service
    /// does not explain it: the kept connections are dead.
    func sawAnswer(after delay: Duration) {
        guard let silence = doubt else { return }
        doubt = nil
        if delay < silence { condemnIdle() }
    }

    /// Shuts down a connection in libcurl's pool, as if the peer had closed it. libcurl then finds it dead and chooses
    /// another.
    private func condemn(_ index: Int) {
        connections[index].isCondemned = true
        shutdown(connections[index].descriptor, CInt(SHUT_RDWR))
    }

    // MARK: Peers that send more answers than requests

    /// How long kept connections are not trusted after a surplus answer. A surplus answer is usually detected, but not
    /// if it arrives just after the check.
    private static let longestDistrust = Duration.seconds(60)

    private var distrustEnd: Instant?

    /// Whether every request must have a connection of its own.
    var distrustsKept: Bool { distrustEnd.map { clock.now < $0 } ?? false }

    private var hasNewDistrust = false

    /// A peer sent more than one answer to a request.
    func sawSurplus() {
        if !distrustsKept { hasNewDistrust = true }
        distrustEnd = clock.now + Self.longestDistrust
    }

    /// Whether distrust has begun since the last call.
    func takeNewDistrust() -> Bool {
        defer { hasNewDistrust = false }
        return hasNewDistrust
    }

    /// Looks up the ends of new connections, if one of them may have this port.
    private func place(_ localPort: CInt) {
        for index in connections.indices where connections[index].ends == nil {
            let descriptor = connections[index].descriptor
            guard let local = Self.address(of: descriptor, getsockname), local.port == localPort else { continue }
            let peer = Self.address(of: descriptor, getpeername)
            connections[index].ends = Ends(
                localPort: localPort, peerPort: peer?.port ?? 0, peerAddress: peer?.text)
        }
    }

    private static func address(
        of descriptor: CInt, _ ask: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> (text: [CChar], port: CInt)? {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { storage in
            let status = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(descriptor, $0, &length) }
            guard status == 0 else { return nil }
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            let family = CInt(storage.pointee.ss_family)
            let port: UInt16
            let isWritten: Bool
            switch family {
            case AF_INET:
                (port, isWritten) = storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    ($0.pointee.sin_port, inet_ntop(family, &$0.pointee.sin_addr, &text, socklen_t(text.count)) != nil)
                }
            case AF_INET6:
                (port, isWritten) = storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    (
                        $0.pointee.sin6_port,
                        inet_ntop(family, &$0.pointee.sin6_addr, &text, socklen_t(text.count)) != nil
                    )
                }
            default: return nil
            }
            return isWritten ? (text, CInt(UInt16(bigEndian: port))) : nil
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

    /// Whether the peer has not yet acknowledged everything that was written to a socket.
    static func hasUnacknowledgedOutput(_ descriptor: CInt) -> Bool {
        #if os(Linux)
        var count: CInt = 0
        return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 && count > 0
        #else
        return false
        #endif
    }

    /// Makes the system give up a connection attempt that nobody answers.
    ///
    /// libcurl's own timeout includes name lookups, proxies and TLS. A failure only leaves the system's default, which
    /// is minutes.
    static func limitConnecting(_ descriptor: CInt, to limit: Duration) {
        setUserTimeout(descriptor, milliseconds: CUnsignedInt(clamping: max(1, limit.millisecondsRoundedUp)))
    }

    /// A connection is established: from now on other timeouts apply.
    func endLimitOfConnecting(localPort: CInt) {
        for connection in connections
        where connection.ends == nil && Self.address(of: connection.descriptor, getsockname)?.port == localPort {
            Self.setUserTimeout(connection.descriptor, milliseconds: 0)
        }
    }

    /// The timeout of RFC 5482; on Linux it also applies to unanswered SYNs (tcp(7), TCP_USER_TIMEOUT).
    private static func setUserTimeout(_ descriptor: CInt, milliseconds: CUnsignedInt) {
        #if os(Linux)
        var value = milliseconds
        _ = setsockopt(
            descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, socklen_t(MemoryLayout<CUnsignedInt>.size))
        #endif
    }
}
