import KMSPlatform

/// A TCP server on a free loopback port that sends exactly the bytes that a test wants and ends connections the way it
/// wants, which no well-behaved HTTP server does.
///
///     let responder = try RawResponder([.readRequest, .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), .reset])
///     … http://127.0.0.1:\(responder.port) …
///     responder.stop()
///
/// Connections are served in parallel, each on its own thread. It also stops when it is freed.
package final class RawResponder: Sendable {
    /// One step of a scripted answer. After the last one the connection is closed.
    package enum Step: Sendable {
        /// Read one request, with its body.
        case readRequest
        case send(String)
        case sendBytes([UInt8])
        /// End the connection with an RST.
        case reset
        /// Hold the connection until the client closes it.
        case waitUntilPeerCloses
        /// Run the script again from the start: keep-alive.
        case again
    }

    package let port: UInt16
    private let server: Server

    package var baseURL: String { "http://127.0.0.1:\(port)" }

    /// The requests that were read so far, in order.
    package var requests: [RawConnection.Request] { server.state.withLock { $0.requests } }

    /// Connections accepted so far.
    package var connectionCount: Int { server.state.withLock { $0.accepted } }

    /// Answers every connection with the same script.
    package convenience init(_ script: [Step]) throws {
        try self.init { connection in try Self.run(script, on: connection) }
    }

    /// Answers the first connection with the first script and so on; the last script serves all that follow.
    package convenience init(scripts: [[Step]]) throws {
        try self.init { connection in
            try Self.run(scripts[min(connection.number, scripts.count - 1)], on: connection)
        }
    }

    /// Answers each connection with a closure. The connection is closed when it returns or throws.
    package init(answer: @escaping @Sendable (RawConnection) throws -> Void) throws {
        let listener: Int32
        (listener, port) = try PrivateDescriptors.listen(backlog: 128)
        let (stopReader, stopWriter) = try Descriptors.pipe()
        let server = Server(listener: listener, stopReader: stopReader, stopWriter: stopWriter, answer: answer)
        self.server = server
        try Thread.start(name: "raw-responder") { server.acceptLoop() }
    }

    deinit { stop() }

    /// Closes the port and every connection. A second call does nothing.
    package func stop() { server.stop() }

    /// A whole answer with a `Content-Length`.
    package static func answer(_ status: String, headers: [String] = [], body: String = "") -> String {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers
        return lines.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    private static func run(_ script: [Step], on connection: RawConnection) throws {
        var index = 0
        while index < script.count {
            switch script[index] {
            case .readRequest: try connection.readRequest()
            case .send(let text): try connection.send(text)
            case .sendBytes(let bytes): try connection.send(bytes)
            case .reset: return connection.reset()
            case .waitUntilPeerCloses: connection.waitUntilPeerCloses()
            case .again:
                index = 0
                continue
            }
            index += 1
        }
    }

    /// What the threads share. It lives until they end, even if the responder is freed earlier.
    private final class Server: Sendable {
        struct State {
            var accepted = 0
            var requests: [RawConnection.Request] = []
            var open: [Int: RawConnection] = [:]
            var isStopped = false
        }

        let state = Lock(State())
        let listener: Int32
        let stopReader: Int32
        let stopWriter: Int32
        let answer: @Sendable (RawConnection) throws -> Void

        init(
            listener: Int32, stopReader: Int32, stopWriter: Int32,
            answer: @escaping @Sendable (RawConnection) throws -> Void
        ) {
            self.listener = listener
            self.stopReader = stopReader
            self.stopWriter = stopWriter
            self.answer = answer
        }

        func acceptLoop() {
            while true {
                var waits = [
                    pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: stopReader, events: Int16(POLLIN), revents: 0),
                ]
                guard poll(&waits, 2, -1) >= 0 || errno == EINTR else { break }
                if waits[1].revents != 0 { break }
                guard waits[0].revents != 0 else { continue }
                let descriptor = PrivateDescriptors.accept(listener)
                if descriptor >= 0 { serve(descriptor) }
            }
            _ = close(listener)
            _ = close(stopReader)
        }

        private func serve(_ descriptor: Int32) {
            let connection = state.withLock { state in
                let connection = RawConnection(number: state.accepted, descriptor: descriptor) { [state = self.state] in
                    let request = $0
                    state.withLock { $0.requests.append(request) }
                }
                state.accepted += 1
                if state.isStopped { connection.interrupt() } else { state.open[connection.number] = connection }
                return connection
            }
            do {
                try Thread.start(name: "raw-connection") {
                    // An error only means that the client went away, which many tests want.
                    try? self.answer(connection)
                    connection.close()
                    self.state.withLock { $0.open[connection.number] = nil }
                }
            } catch {
                connection.reset()
            }
        }

        func stop() {
            let open = state.withLock { state in
                guard !state.isStopped else { return [RawConnection]() }
                state.isStopped = true
                // The end of the pipe wakes the accepting thread.
                _ = close(stopWriter)
                defer { state.open = [:] }
                return Array(state.open.values)
            }
            for connection in open { connection.interrupt() }
        }
    }
}

/// A proxy that understands CONNECT (RFC 9110, section 9.3.6) and connects to the same port of this machine whatever host
/// was requested.
package final class ConnectProxy: Sendable {
    private let responder: RawResponder

    package var url: String { responder.baseURL }

    /// The requests that it got, in order.
    package var requests: [RawConnection.Request] { responder.requests }

    package init(leadingTo port: UInt16) throws {
        responder = try RawResponder { client in
            try client.readRequest()
            let service = try PrivateDescriptors.connect(to: port)
            defer { close(service) }
            try client.send("HTTP/1.1 200 Connection established\r\n\r\n")
            try client.relay(to: service)
        }
    }

    package func stop() { responder.stop() }
}
