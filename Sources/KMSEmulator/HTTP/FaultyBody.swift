import CKMSMicrohttpd
import KMSPlatform

/// The body of an answer that does not arrive properly. libmicrohttpd requests it in blocks.
final class FaultyBody {
    private let bytes: [UInt8]
    private let ending: Fault.BodyEnding
    private let exchange: Exchange
    /// Whether the pause before the next byte of a trickle is over.
    private var hasPaused = false

    private init(_ bytes: [UInt8], _ ending: Fault.BodyEnding, _ exchange: Exchange) {
        self.bytes = bytes
        self.ending = ending
        self.exchange = exchange
    }

    /// A new response, which the caller must destroy; nil if memory runs out.
    static func response(_ bytes: [UInt8], _ ending: Fault.BodyEnding, _ exchange: Exchange) -> OpaquePointer? {
        // An empty body can't be cut, so the head announces one byte that never comes. A chunked body has no length.
        let announced = if case .trickle = ending { UInt64.max } else { UInt64(max(bytes.count, 1)) }
        let context = Unmanaged.passRetained(FaultyBody(bytes, ending, exchange))
        let response = MHD_create_response_from_callback(
            announced, blockBytes, Self.read, context.toOpaque(), Self.free)
        if response == nil { context.release() }
        return response
    }

    /// The maximum number of bytes that libmicrohttpd requests at once.
    private static let blockBytes = 16 << 10

    private static let read: MHD_ContentReaderCallback = { context, position, buffer, limit in
        guard let context, let buffer else { return endWithError }
        let body = Unmanaged<FaultyBody>.fromOpaque(context).takeUnretainedValue()
        return body.next(from: Int(position), into: buffer, limit: limit)
    }

    private static let free: MHD_ContentReaderFreeCallback = { context in
        if let context { Unmanaged<FaultyBody>.fromOpaque(context).release() }
    }

    // The values of macros with casts, which Swift does not import.
    private static let endOfStream = -1  // MHD_CONTENT_READER_END_OF_STREAM
    private static let endWithError = -2  // MHD_CONTENT_READER_END_WITH_ERROR

    private func next(from position: Int, into buffer: UnsafeMutablePointer<CChar>, limit: Int) -> Int {
        var stop = bytes.count / 2
        if case .trickle(let pause) = ending {
            guard position < bytes.count else { return Self.endOfStream }
            if !hasPaused, pause > 0 {
                hasPaused = true
                return exchange.suspend(for: .milliseconds(pause)) ? 0 : Self.endWithError
            }
            hasPaused = false
            switch exchange.resumption() {
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
            if ending == .reset { TCPReset.send(on: exchange.socket) }
            return Self.endWithError
        }
        let count = min(stop - position, limit)
        UnsafeMutableRawBufferPointer(start: buffer, count: count).copyBytes(from: bytes[position..<(position + count)])
        return count
    }
}

enum TCPReset {
    /// Ends a connection with a TCP reset: `connect` with the family AF_UNSPEC does that. `SO_LINGER` would not,
    /// because libmicrohttpd shuts its sockets down before it closes them.
    static func send(on socket: Int32) {
        var address = sockaddr()
        address.sa_family = sa_family_t(AF_UNSPEC)
        connect(socket, &address, socklen_t(MemoryLayout<sockaddr>.size))
    }
}
