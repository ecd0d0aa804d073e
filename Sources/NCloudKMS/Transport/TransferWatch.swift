import CKMSLibcurl
import CKMSOpenSSL
import KMSPlatform

/// Watches the transfers of a `CurlEasy`, one after another, for what libcurl would miss: an answer before its request,
/// an endless answer to CONNECT, an address that does not respond, a dead kept connection.
///
/// libcurl's callbacks report events to it, and `CurlMulti` queries it between its turns.
final class TransferWatch {
    /// Many times as long as an answer takes.
    private static let suspiciousSilence = Duration.seconds(1)

    private let handle: UnsafeMutableRawPointer
    private let collector: ResponseCollector
    private let connections: ConnectionTable
    private let clock: any TimeSource

    /// The limit for each address.
    private var connectTimeout = HTTPRequest.longestConnect
    private var hasAnotherAttempt = false
    private var tunnelBudget = TunnelBudget()
    /// The sockets that libcurl opened for the transfer; some may be closed by now.
    private(set) var sockets: [CInt] = []
    /// When the first TCP connect began; nil if none was needed yet.
    private var connectStart: Instant?
    /// Whether libcurl's current connection is open, and the request was, or is about to be, written to it.
    private var isWriting = false
    /// Whether the connection that libcurl is opening has its TCP limit.
    private var isLimited = false
    /// libcurl's local port when it began to connect: none, or that of a dead kept connection.
    private var formerLocalPort = 0
    /// Whether a connection is recorded in the table as the transfer's.
    private var hasConnection = false
    private var isOnKeptConnection = false
    /// When the answer must have begun; nil: within the attempt's time.
    private var firstByteDeadline: Instant?

    /// Whether libcurl was stopped because the request must use another connection.
    private(set) var wantsAnotherConnection = false
    /// Whether a new connection had an answer on it before the request was written.
    private(set) var wasAnsweredUnasked = false
    /// Whether libcurl was stopped because the transfer blocked all others.
    private(set) var heldUpOthers = false

    /// - Parameter handle: the `CURL *`, which must outlive this object.
    init(
        _ handle: UnsafeMutableRawPointer, collector: ResponseCollector, connections: ConnectionTable,
        clock: any TimeSource
    ) {
        self.handle = handle
        self.collector = collector
        self.connections = connections
        self.clock = clock
    }

    /// A transfer is about to begin.
    func begin(_ request: HTTPRequest) {
        connectTimeout = request.connectTimeout
        hasAnotherAttempt = request.hasAnotherAttempt
        beginAgain()
    }

    /// The same transfer is about to begin on another connection.
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

    // MARK: Events from libcurl

    /// A socket was created, and is about to be connected.
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

    /// libcurl has read or written something, or checked whether it can.
    ///
    /// - Returns: whether it should continue.
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
        // A connection that is neither in the table nor new is unknown, so it is not trusted.
        if descriptor == nil, connectStart == nil { (check.isKept, check.isCondemned) = (true, true) }
        // Data that has been decrypted is no longer in the socket. (Nor is what a proxy's TLS has decrypted: in that
        // case no connection is kept.)
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

    // MARK: Between turns

    /// What a transfer needs that libcurl does not do by itself.
    enum Concern {
        case nothing
        /// It has no connection yet: check `isOverdue`, and give libcurl a turn, at intervals.
        case connecting
        /// Check `isOverdue` at this time.
        case firstByte(by: Instant)
    }

    var concern: Concern {
        guard isWriting else { return .connecting }
        guard collector.received == nil, let firstByteDeadline else { return .nothing }
        return .firstByte(by: firstByteDeadline)
    }

    /// Whether the transfer has exceeded a limit that libcurl does not know.
    func isOverdue(now: Instant) -> Bool {
        if isWriting {
            guard collector.received == nil, let firstByteDeadline else { return false }
            return now >= firstByteDeadline
        }
        guard let connectStart, now >= connectStart + connectTimeout * 2 else { return false }
        return !isConnected
    }

    /// Whether TCP is established on the connection that libcurl uses or opens now.
    var isConnected: Bool { localPort > 0 && localPort != formerLocalPort }

    /// libcurl sets it as soon as TCP is established, and does not clear it when it connects again.
    private var localPort: Int {
        var port = 0
        return clibcurl_easy_get_long(handle, CURLINFO_LOCAL_PORT, &port) == CURLE_OK ? port : 0
    }

    // MARK: End

    /// The transfer has ended, or is about to begin again.
    ///
    /// - Parameters:
    ///   - isSound: whether its connection may be reused, if libcurl leaves it open.
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
        // A dead connection is silent, and a short deadline must not hide that: otherwise each call would try the next
        // one.
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

    /// The transfer has failed. Returns whether the reason was a dead kept connection; then the idle ones are given up,
    /// too.
    func noteLoss(_ failure: TransportFailure) -> Bool {
        guard isWriting, isOnKeptConnection else { return false }
        switch failure.kind {
        case .connectionLost, .timedOut:
            connections.condemnIdle()
            return true
        default: return false
        }
    }

    /// Whether a proxy's answer to CONNECT was too large for us, or a line of it for libcurl.
    var proxyAnswerIsTooLarge: Bool { !isWriting && tunnelBudget.isTooLargeForLibcurl }

    /// Whether a connection was opened for the transfer and the request was written to it; nil if none had to be
    /// opened.
    var hasReachedPeer: Bool? { connectStart == nil ? nil : isWriting }
}
