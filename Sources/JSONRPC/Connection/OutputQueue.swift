import Platform

/// Whole answers that wait to be written, oldest first.
struct OutputQueue: Sendable {
    /// A buffer that unread answers have blown up beyond this is given back when it is empty.
    private static let keptBytes = 256 << 10

    private var bytes: [UInt8] = []
    /// So many bytes at the front are written.
    private var written = 0

    var count: Int { bytes.count - written }

    /// The memory that the queue takes.
    var heldBytes: Int { bytes.capacity }

    /// Appends one whole frame around the JSON text that `body` appends.
    mutating func append(style: FrameStyle, _ body: (inout [UInt8]) -> Void) {
        frame(&bytes, style, body)
    }

    mutating func append(_ frames: [UInt8]) {
        bytes.append(contentsOf: frames)
    }

    /// Writes what goes without waiting; nil while the descriptor is fine, else the error number.
    mutating func write(to descriptor: OutputDescriptor) -> CInt? {
        while count > 0 {
            let result = bytes.withUnsafeBytes { descriptor.write(UnsafeRawBufferPointer(rebasing: $0[written...])) }
            switch result {
            case .wrote(let count): written += count
            case .wouldBlock:
                dropWritten()
                return nil
            case .closed(let number): return number
            }
        }
        if bytes.capacity > Self.keptBytes { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
        written = 0
        return nil
    }

    /// Gives back what is written, once it is more than what is not: so every byte is moved once at most on average,
    /// and a client that never quite catches up does not make the buffer grow.
    private mutating func dropWritten() {
        guard written > count else { return }
        bytes.removeSubrange(..<written)
        written = 0
    }
}

/// Appends to `bytes` the JSON text that `body` appends, with what the style puts around it.
func frame(_ bytes: inout [UInt8], _ style: FrameStyle, _ body: (inout [UInt8]) -> Void) {
    let start = bytes.count
    body(&bytes)
    switch style {
    case .line:
        bytes.append(UInt8(ascii: "\n"))
    case .headers:
        bytes.insert(contentsOf: "Content-Length: \(bytes.count - start)\r\n\r\n".utf8, at: start)
    }
}
