import KMSPlatform

/// Reads a descriptor to its end on its own thread, and splits it into lines.
final class LineReader: Sendable {
    private let stream: AsyncStream<String>
    private let iterator: Lock<AsyncStream<String>.Iterator?>
    private let bytes = Lock<[UInt8]>([])

    /// - Parameters:
    ///   - descriptor: closed at its end; nothing else may close it.
    ///   - keepsText: whether `text` is kept.
    init(_ descriptor: CInt, keepsText: Bool) throws {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        self.stream = stream
        iterator = Lock(stream.makeAsyncIterator())
        try Thread.start(name: "test-reader") { [bytes] in
            var pending: [UInt8] = []
            while let chunk = readChunk(descriptor) {
                if keepsText { bytes.withLock { $0 += chunk } }
                var start = chunk.startIndex
                while let end = chunk[start...].firstIndex(of: UInt8(ascii: "\n")) {
                    pending += chunk[start..<end]
                    continuation.yield(String(decoding: pending, as: UTF8.self))
                    pending.removeAll(keepingCapacity: true)
                    start = end + 1
                }
                pending += chunk[start...]
            }
            if !pending.isEmpty { continuation.yield(String(decoding: pending, as: UTF8.self)) }
            close(descriptor)
            continuation.finish()
        }
    }

    /// The next line without its end; nil at the end. For one task at a time.
    func next() async -> String? {
        var iterator = iterator.withLock { $0.take() } ?? stream.makeAsyncIterator()
        let line = await iterator.next()
        self.iterator.withLock { [iterator] in $0 = iterator }
        return line
    }

    /// Everything that was read so far.
    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

/// The bytes of one read; nil at the end. The hang-up of a terminal is its end, too.
private func readChunk(_ descriptor: CInt) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count > 0 { return Array(buffer[..<count]) }
        guard count < 0, errno == EINTR || errno == EAGAIN else { return nil }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, -1)
    }
}
