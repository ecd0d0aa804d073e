import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// Watches the transfers of a `CurlEasy`, one after another, for what libcurl would let pass: an answer that was there
/// before its request, a CONNECT without an end, an address that does not answer, a kept connection that is dead.
///
/// libcurl's callbacks tell it what happens, and `CurlMulti` asks it between its turns.
final class TransferWatch {
    /// Many times what an answer takes.
    private static let suspiciousSilence = Duration.seconds(1)

    private let handle: UnsafeMutableRawPointer
    private let collector: ResponseCollector
    private let connections: ConnectionTable
    private let clock: any TimeSource

    /// For each address.
    private var connectTimeout = HTTPRequest.longestConnect
    private var hasAnotherAttempt = false
    private var tunnelBudget = TunnelBudget()
    /// The sockets that libcurl opened for the transfer, some of which may be closed by now.
    private(set) var sockets: [CInt] = []
    /// When the first TCP connect began; nil: none was needed yet.
    private var connectStart: Instant?
    /// The connection that libcurl has now is open, and the request was, or is about to be, written to it.
    private var isWriting = false
    /// The connection that libcurl opens now has its limit for TCP.
    private var isLimited = false
    /// What libcurl knew as the local port when it began to connect: no port, or that of a kept connection that was dead.
    private var formerLocalPort = 0
    /// A connection is noted in the table as the transfer's.
    private var hasConnection = false
    private var isOnKeptConnection = false
    /// When the answer must have begun; nil: within the attempt's time.
    private var firstByteDeadline: Instant?

    /// libcurl was stopped, since the request belongs on another connection.
    private(set) var wantsAnotherConnection = false
    /// A new connection had an answer on it before the request was written.
    private(set) var wasAnsweredUnasked = false
    /// libcurl was stopped, since the transfer held up all others.
    private(set) var heldUpOthers = false

    /// - Parameter handle: the `CURL *`, which must live for as long.
    init(
        _ handle: UnsafeMutableRawPointer, collector: ResponseCollector, connections: ConnectionTable,
        clock: any TimeSource
    ) {
        self.handle = handle
        self.collector = collector
        self.connections = connections
        self.clock = clock
    }

    /// A transfer is about to be begun.
    func begin(_ request: HTTPRequest) {
        connectTimeout = request.connectTimeout
        hasAnotherAttempt = request.hasAnotherAttempt
        beginAgain()
    }

    /// The same transfer is about to be begun on another connection.
    func beginAgain() {
        tunnelBudget = TunnelBudget()
        sockets.removeAll(keepingCapacity: true)
        connectStart = nil
        isWriting = false
        isLimited = false
        formerLocalPort = 0
        hasConnection = false
        isOnKeptConnection = false
        firstByteDeadline = nil
        wantsAnotherConnection = false
        wasAnsweredUnasked = false
        heldUpOthers = false
    }

    // MARK: What libcurl tells

    /// A socket was made, and is about to be connected.
    func opened(_ socket: CInt) {
        connections.opened(socket)
        sockets.append(socket)
        ConnectionTable.limitConnecting(socket, to: connectTimeout)
        connectStart = connectStart ?? clock.now
        isWriting = false
        isLimited = true
        formerLocalPort = localPort
        collector.connectionIsNew()
    }

    /// libcurl has read or written something, or looked whether it can.
    ///
    /// - Returns: whether it should go on.
    func progressed() -> Bool {
        guard !isWriting else { return true }
        if isLimited, isConnected {
            connections.endLimitOfConnecting(localPort: CInt(truncatingIfNeeded: localPort))
            isLimited = false
        }
        switch tunnelBudget.step(turn: connections.turn, elapsed: { clock.now - connections.turnStart }) {
        case .goOn: return true
        case .tooLarge: break
        case .tooLate: heldUpOthers = true
        }
        return false
    }

    /// libcurl has chosen a connection, and is about to write the request to it.
    ///
    /// - Returns: whether it should.
    func isAboutToWrite(localPort: CInt, peerPort: CInt, peerAddress: UnsafePointer<CChar>) -> Bool {
        let ssl = clibcurl_easy_get_ssl(handle).map { OpaquePointer($0) }
        var check = ConnectionCheck()
        check.hasAnotherAttempt = hasAnotherAttempt
        check.wasWrittenBefore = isOnKeptConnection
        if check.wasWrittenBefore { connections.condemnIdle() }
        let descriptor: CInt?
        (check, descriptor) = connections.take(
            localPort: localPort, peerPort: peerPort, peerAddress: peerAddress, for: collector, isEncrypted: ssl != nil,
            check)
        // Nothing is known of a connection that is neither in the table nor new, so nothing speaks for it.
        if descriptor == nil, connectStart == nil { (check.isKept, check.isCondemned) = (true, true) }
        // What is decrypted already is no longer in the socket. (Nor is what a proxy's TLS has decrypted: there no
        // connection is kept.)
        if let ssl, SSL_has_pending(ssl) != 0 { check.input = .data }
        if check.showsSurplus { connections.sawSurplus() }
        hasConnection = true
        isOnKeptConnection = check.isKept
        switch check.decision {
        case .use(let limit):
            let now = collector.requestIsAboutToBeSent()
            collector.keptSocket = check.isKept ? descriptor : nil
            firstByteDeadline = limit.map { now + $0 }
            isWriting = true
            return true
        case .replace:
            wantsAnotherConnection = true
            return false
        case .refuse:
            wasAnsweredUnasked = true
            return false
        }
    }

    // MARK: Between the turns

    /// What has to be looked after beside libcurl.
    enum Concern {
        case nothing
        /// It has no connection yet: `isOverdue` must be asked, and libcurl given a turn, from time to time.
        case connecting
        /// `isOverdue` must be asked then.
        case firstByte(by: Instant)
    }

    var concern: Concern {
        guard isWriting else { return .connecting }
        guard collector.received == nil, let firstByteDeadline else { return .nothing }
        return .firstByte(by: firstByteDeadline)
    }

    /// Whether the transfer has used up a time that libcurl does not know of.
    func isOverdue(now: Instant) -> Bool {
        if isWriting {
            guard collector.received == nil, let firstByteDeadline else { return false }
            return now >= firstByteDeadline
        }
        guard let connectStart, now >= connectStart + connectTimeout * 2 else { return false }
        return !isConnected
    }

    /// Whether TCP stands on the connection that libcurl uses or opens now.
    var isConnected: Bool { localPort > 0 && localPort != formerLocalPort }

    /// libcurl sets it as soon as TCP stands, and does not clear it when it begins to connect again.
    private var localPort: Int {
        var port = 0
        return clibcurl_easy_get_long(handle, CURLINFO_LOCAL_PORT, &port) == CURLE_OK ? port : 0
    }

    // MARK: The end

    /// The transfer has ended, or is about to be begun again.
    ///
    /// - Parameters:
    ///   - isSound: whether its connection may be used again, if libcurl leaves it open.
    func ended(isSound: Bool) {
        connections.forgetUnused(sockets)
        guard hasConnection else { return }
        hasConnection = false
        if collector.hasSurplus || collector.isForeign { connections.sawSurplus() }
        if connections.doubtsKept, let sent = collector.sent, let received = collector.received {
            connections.sawAnswer(after: received.instant - sent)
        }
        connections.release(by: collector, isSound: isSound)
    }

    /// The transfer was ended from outside.
    func dropped() {
        // A dead connection is silent, and a short deadline must not hide it: else each call would try the next one.
        if isWriting, isOnKeptConnection, collector.received == nil, let sent = collector.sent {
            let silence = clock.now - sent
            if silence >= Self.suspiciousSilence {
                connections.condemnIdle()
            } else {
                connections.doubtKept(after: silence)
            }
        }
        ended(isSound: false)
    }

    /// The transfer has failed: whether because its connection, a kept one, was dead. Then the idle ones are given up, too.
    func noteLoss(_ failure: TransportFailure) -> Bool {
        guard isWriting, isOnKeptConnection else { return false }
        switch failure.kind {
        case .connectionLost, .timedOut:
            connections.condemnIdle()
            return true
        default: return false
        }
    }

    /// A proxy's answer to CONNECT was too large for us, or a line of it for libcurl.
    var proxyAnswerIsTooLarge: Bool { !isWriting && tunnelBudget.isTooLargeForLibcurl }

    /// Whether a connection was opened for the transfer as far as the request; nil: none had to be opened.
    var hasReachedPeer: Bool? { connectStart == nil ? nil : isWriting }
}
