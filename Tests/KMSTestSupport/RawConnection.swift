import KMSPlatform

/// One accepted connection of a `RawResponder`, for the closure that answers it. Calls block; their errors end the closure.
package final class RawConnection: Sendable {
    /// The peer went away, or the responder was stopped.
    package struct Ended: Error {}

    package struct Request: Sendable {
        /// Request line and header lines, with their line ends, up to the empty line.
        package var head: String
        package var body: [UInt8]
    }

    /// 0 for the responder's first connection.
    package let number: Int
    private let state: Lock<State>
    private let received: @Sendable (Request) -> Void

    private struct State {
        /// -1 once it is closed.
        var descriptor: Int32
        /// Read from the socket, but not yet part of a request.
        var unread: [UInt8] = []
    }

    init(number: Int, descriptor: Int32, received: @escaping @Sendable (Request) -> Void) {
        self.number = number
        state = Lock(State(descriptor: descriptor))
        self.received = received
    }

    /// Reads one request, its body by `Content-Length`.
    @discardableResult
    package func readRequest() throws -> Request {
        var bytes = state.withLock { $0.unread }
        var headEnd = Self.endOfHead(in: bytes)
        while headEnd == nil {
            bytes += try readSome()
            headEnd = Self.endOfHead(in: bytes)
        }
        let head = String(decoding: bytes[..<(headEnd ?? 0)], as: UTF8.self)
        let bodyStart = headEnd ?? 0
        let bodyCount = Self.contentLength(in: head)
        while bytes.count < bodyStart + bodyCount { bytes += try readSome() }
        let request = Request(head: head, body: Array(bytes[bodyStart..<(bodyStart + bodyCount)]))
        let rest = Array(bytes[(bodyStart + bodyCount)...])
        state.withLock { $0.unread = rest }
        received(request)
        return request
    }

    /// Writes all bytes.
    package func send(_ bytes: [UInt8]) throws { try Self.send(bytes, to: descriptor) }

    private static func send(_ bytes: [UInt8], to descriptor: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                KMSPlatform.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Ended() }
            sent += count
        }
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Reads and drops bytes until the peer closes or the responder is stopped.
    package func waitUntilPeerCloses() {
        while (try? readSome()) != nil {}
    }

    /// Lends the socket, for what these methods can't do.
    package func withDescriptor<Result>(_ body: (Int32) throws -> Result) rethrows -> Result { try body(descriptor) }

    /// Passes bytes in both directions between the peer and another socket, until one of them ends.
    package func relay(to other: Int32) throws {
        while true {
            var entries = [descriptor, other].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&entries, 2, -1) >= 0 || errno == EINTR else { throw Ended() }
            if entries[0].revents != 0 { try Self.send(try readSome(), to: other) }
            if entries[1].revents != 0 { try send(try Self.readSome(of: other)) }
        }
    }

    /// Closes with a FIN, after what was sent.
    package func close() {
        take { _ = KMSPlatform.close($0) }
    }

    /// Closes with an RST: the peer's next read fails.
    package func reset() {
        take { descriptor in
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
            _ = KMSPlatform.close(descriptor)
        }
    }

    /// Ends every blocking call. The descriptor stays open until the closure has finished.
    func interrupt() {
        state.withLock { state in
            if state.descriptor >= 0 { _ = shutdown(state.descriptor, Int32(SHUT_RDWR)) }
        }
    }

    private var descriptor: Int32 { state.withLock { $0.descriptor } }

    private func take(_ body: (Int32) -> Void) {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            body(state.descriptor)
            state.descriptor = -1
        }
    }

    /// Reads at least one byte that is not part of a request.
    @discardableResult
    package func readSome() throws -> [UInt8] { try Self.readSome(of: descriptor) }

    private static func readSome(of descriptor: Int32) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw Ended() }
        return Array(buffer[..<count])
    }

    private static func endOfHead(in bytes: [UInt8]) -> Int? {
        bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
    }

    private static func contentLength(in head: String) -> Int {
        for line in head.lowercased().split(separator: "\r\n") where line.hasPrefix("content-length:") {
            return Int(line.dropFirst("content-length:".count).drop { $0 == " " }) ?? 0
        }
        return 0
    }
}
