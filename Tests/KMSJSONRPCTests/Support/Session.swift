import KMSJSON
import KMSJSONRPC
import KMSPlatform

/// A connection that serves on a thread of its own, and its client.
final class Session: Sendable {
    enum Ends { case pipes, socketPair }

    let held: Held
    let connection: Connection
    /// The descriptors of the client.
    let toServer: CInt
    let fromServer: CInt
    /// Readable when the connection is to stop.
    let stop = Signal()
    let stopping = Signal()
    let ended = Signal()
    let events: Lock<[ConnectionEvent]>
    /// The descriptors of the server.
    let input: CInt
    let output: CInt

    /// What the connection's thread will close.
    private let served = Lock<Set<CInt>>([])
    private let received = Lock<[UInt8]>([])
    /// What the connection had done when it was over.
    private let lastCounters = Lock<ConnectionCounters?>(nil)
    /// Those that nobody has closed yet.
    private let openDescriptors: OpenDescriptors

    init(
        _ ends: Ends = .pipes, framing: any Framing = LineFraming(maximumMessageBytes: 1 << 20),
        stops: Bool = false, held: Held = Held(), methods: [any Method] = [], dialects: [any Dialect] = [],
        _ configure: (inout Connection.Configuration) -> Void = { _ in }
    ) throws {
        signal(SIGPIPE, SIG_IGN)
        self.held = held
        switch ends {
        case .pipes:
            (input, toServer) = makePipe()
            (fromServer, output) = makePipe()
        case .socketPair:
            let (client, server) = makeSocketPair()
            (toServer, fromServer, input, output) = (client, client, server, server)
        }
        openDescriptors = OpenDescriptors([input, output, toServer, fromServer])
        let events = Lock<[ConnectionEvent]>([])
        self.events = events
        var configuration = Connection.Configuration(
            input: input, output: output, framing: framing, maximumBatchCount: 1_000, maximumInFlight: 1_024
        ) { [stopping] event in
            events.withLock { $0.append(event) }
            if event == .stopping { stopping.fire() }
        }
        if stops { configuration.stopDescriptors = [stop.descriptor] }
        configure(&configuration)
        connection = Connection(
            configuration, on: try EventLoop(),
            methods: [held, Echo(), FastEcho(), ThreadEcho(), Failing(), Large()] + methods, dialects: dialects)
    }

    deinit {
        held.forget()
        // A connection that still serves sees that its client is gone, and closes its own ends.
        let kept = served.withLock { $0 }
        for descriptor in [toServer, fromServer, input, output] where !kept.contains(descriptor) {
            openDescriptors.close(descriptor)
        }
    }

    /// Begins to serve. Separate from `init`, so that input can be there before.
    func serve(closingOutput: Bool = true) throws {
        served.withLock { $0 = closingOutput ? [input, output] : [input] }
        try Thread.start(name: "connection") { [connection, openDescriptors, input, output, ended, lastCounters] in
            let _: ConnectionEnding = connection.run()
            lastCounters.withLock { $0 = connection.counters }
            // As at the end of a process.
            openDescriptors.close(input)
            if closingOutput { openDescriptors.close(output) }
            ended.fire()
        }
    }

    /// What the connection has done by now; do not ask while it ends.
    var counters: ConnectionCounters {
        get throws {
            if let last = lastCounters.withLock({ $0 }) { return last }
            let counters = Lock<ConnectionCounters?>(nil)
            let isRead = Signal()
            connection.loop.submit { [connection] in
                counters.withLock { $0 = connection.counters }
                isRead.fire()
            }
            try isRead.wait()
            guard let counters = counters.withLock({ $0 }) else { throw PlatformError("counters", errorNumber: EAGAIN) }
            return counters
        }
    }

    /// Has the loop take what came to it when the connection was over.
    func takeWhatCameLate() {
        connection.loop.submit { [loop = connection.loop] in loop.stop() }
        connection.loop.run()
    }

    // MARK: The client's side

    /// Writes everything; blocks while the pipe is full.
    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(toServer, $0.baseAddress, $0.count) }
            guard count > 0 else { throw PlatformError("write") }
            sent += count
        }
    }

    /// Sends each text as a line of its own, all with one write.
    func send(lines: String...) throws { try send(lines.map { $0 + "\n" }.joined()) }

    /// The next line of the server, without its LF; nil at the end of the stream.
    func receive() throws -> String? {
        var searched = 0
        while true {
            let line = received.withLock { bytes -> [UInt8]? in
                let end = bytes.withUnsafeBytes { bytes -> Int? in
                    guard let base = bytes.baseAddress, searched < bytes.count,
                        let found = memchr(base + searched, CInt(UInt8(ascii: "\n")), bytes.count - searched)
                    else { return nil }
                    return UnsafeRawPointer(found) - base
                }
                searched = bytes.count
                guard let end else { return nil }
                let line = Array(bytes[..<end])
                bytes.removeSubrange(...end)
                return line
            }
            if let line { return String(decoding: line, as: UTF8.self) }
            guard try readMore() else { return nil }
        }
    }

    /// Whether there is anything to receive at this moment.
    var hasAnswer: Bool {
        var entry = pollfd(fd: fromServer, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    func receive(count: Int) throws -> [String] {
        try (0..<count).compactMap { _ in try receive() }
    }

    /// Everything up to the end of the stream.
    func receiveAll() throws -> [UInt8] {
        while try readMore() {}
        return received.withLock { bytes in
            defer { bytes = [] }
            return bytes
        }
    }

    /// All lines up to the end of the stream.
    func receiveLines() throws -> [String] {
        String(decoding: try receiveAll(), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func readMore() throws -> Bool {
        try waitUntilReadable(fromServer)
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(fromServer, &buffer, buffer.count)
        guard count >= 0 else {
            if errno == ECONNRESET { return false }
            throw PlatformError("read")
        }
        received.withLock { $0.append(contentsOf: buffer[..<count]) }
        return count > 0
    }

    /// Ends the requests: closes the pipe, or shuts down this direction of the socket.
    func endInput() {
        if toServer == fromServer { shutdown(toServer, CInt(SHUT_WR)) } else { openDescriptors.close(toServer) }
    }

    /// Reads no more answers.
    func closeOutput() { openDescriptors.close(fromServer) }

    /// Serves the input in full, and gives all lines of the answer.
    func answers(to input: String) throws -> [String] { try answers(to: Array(input.utf8)) }

    func answers(to input: [UInt8]) throws -> [String] {
        try serve()
        try send(input)
        endInput()
        let lines = try receiveLines()
        try ended.wait()
        return lines
    }
}

/// Descriptors that two threads may close, each once.
private final class OpenDescriptors: Sendable {
    private let descriptors: Lock<Set<CInt>>

    init(_ descriptors: Set<CInt>) {
        self.descriptors = Lock(descriptors)
    }

    func close(_ descriptor: CInt) {
        if descriptors.withLock({ $0.remove(descriptor) != nil }) { KMSPlatform.close(descriptor) }
    }
}

func request(_ id: String, _ method: String, _ params: String? = nil) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"\#(params.map { ",\"params\":\($0)" } ?? "")}"#
}

func notification(_ method: String, _ params: String? = nil) -> String {
    #"{"jsonrpc":"2.0","method":"\#(method)"\#(params.map { ",\"params\":\($0)" } ?? "")}"#
}

func cancel(_ id: String) -> String { notification("$/cancelRequest", #"{"id":\#(id)}"#) }

func result(_ id: String, _ value: String) -> String { #"{"jsonrpc":"2.0","id":\#(id),"result":\#(value)}"# }

/// An answer that is an error, cut down to its id and code.
func failure(_ id: String, _ code: Int) -> String { "\(id): \(code)" }

/// Every answer with an error cut down to id and code, the rest as it is; the members of batches in brackets.
func summary(_ line: String) throws -> String {
    let value = try JSONValue(parsing: line)
    if let elements = value.elements {
        return "["
            + (try elements.map { try summary(String(decoding: $0.bytes, as: UTF8.self)) }).joined(separator: ",") + "]"
    }
    guard let code = value["error"]?["code"]?.integer, let id = value["id"] else { return line }
    return failure(String(decoding: id.bytes, as: UTF8.self), code)
}
