import CMicrohttpd
import Platform

/// A body that libmicrohttpd asks for piece by piece, and that does not come as it should.
final class FaultyBody {
    enum End {
        /// Half of the body, then a TCP reset.
        case reset
        /// Half of the body, then the connection is closed.
        case close
        /// The whole body in chunks of one byte, with a pause before each.
        case trickle(Duration)
    }

    private let bytes: [UInt8]
    private let end: End
    private let exchange: Exchange
    private let connection: OpaquePointer
    private let suspensions: Suspensions
    private var hasPaused = false

    private init(
        _ bytes: [UInt8], _ end: End, _ exchange: Exchange, _ connection: OpaquePointer, _ suspensions: Suspensions
    ) {
        self.bytes = bytes
        self.end = end
        self.exchange = exchange
        self.connection = connection
        self.suspensions = suspensions
    }

    /// A new response, which the caller destroys; nil when there is no memory.
    static func response(
        _ bytes: [UInt8], _ end: End, _ exchange: Exchange, _ connection: OpaquePointer, _ suspensions: Suspensions
    ) -> OpaquePointer? {
        let body = FaultyBody(bytes, end, exchange, connection, suspensions)
        // An empty body can't be cut, so one byte is announced that never comes. Chunks have no length.
        let announced = if case .trickle = end { UInt64.max } else { UInt64(max(bytes.count, 1)) }
        let context = Unmanaged.passRetained(body)
        let response = MHD_create_response_from_callback(
            announced, blockBytes, Self.read, context.toOpaque(), Self.free)
        if response == nil { context.release() }
        return response
    }

    /// The most that libmicrohttpd asks for at once.
    private static let blockBytes = 16 << 10

    private static let read: MHD_ContentReaderCallback = { context, position, buffer, limit in
        guard let context, let buffer else { return endWithError }
        let body = Unmanaged<FaultyBody>.fromOpaque(context).takeUnretainedValue()
        return body.next(from: Int(position), into: buffer, limit: limit)
    }

    private static let free: MHD_ContentReaderFreeCallback = { context in
        if let context { Unmanaged<FaultyBody>.fromOpaque(context).release() }
    }

    // The values of macros with casts, which do not import.
    private static let endOfStream = -1  // MHD_CONTENT_READER_END_OF_STREAM
    private static let endWithError = -2  // MHD_CONTENT_READER_END_WITH_ERROR

    private func next(from position: Int, into buffer: UnsafeMutablePointer<CChar>, limit: Int) -> Int {
        var stop = bytes.count / 2
        if case .trickle(let pause) = end {
            guard position < bytes.count else { return Self.endOfStream }
            if !hasPaused, pause > .zero {
                hasPaused = true
                if suspensions.suspend(exchange.number, connection, socket: exchange.socket, for: pause) { return 0 }
                exchange.isCutOff = true
                return Self.endWithError
            }
            hasPaused = false
            switch suspensions.outcome(of: exchange.number) {
            case .clientWentAway: return Self.endWithError
            case .stopped:
                exchange.isCutOff = true
                return Self.endWithError
            case .elapsed, nil: break
            }
            stop = position + 1
        }
        guard position < stop else {
            exchange.isCutOff = true
            if case .reset = end { TCPReset.send(on: exchange.socket) }
            return Self.endWithError
        }
        let count = min(stop - position, limit)
        UnsafeMutableRawBufferPointer(start: buffer, count: count).copyBytes(from: bytes[position..<(position + count)])
        return count
    }
}

enum TCPReset {
    /// Ends a connection with RST. Connecting to no address does it; `SO_LINGER` would not, as libmicrohttpd shuts its
    /// sockets down before it closes them.
    static func send(on socket: Int32) {
        var address = sockaddr()
        address.sa_family = sa_family_t(AF_UNSPEC)
        connect(socket, &address, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
