import Platform

/// Whole answers that wait to be written, oldest first.
///
/// They lie in pieces, each of which goes when it is written: one array would double when it grows, and hold three times
/// what a slow client has not read.
struct OutputQueue: Sendable {
    /// A piece that has so many bytes takes no more: what a pipe holds on Linux.
    private static let pieceBytes = 64 << 10
    /// A piece that one long answer has blown up beyond this is given back when it is written.
    private static let keptBytes = 256 << 10

    /// Never empty, and only the last one has room.
    private var pieces: [[UInt8]] = [[]]
    /// So many bytes at the front of the first piece are written.
    private var written = 0
    private(set) var count = 0

    /// The memory that the queue takes.
    var heldBytes: Int { pieces.reduce(0) { $0 + $1.capacity } }

    /// Appends one whole frame around the JSON text that `body` appends.
    mutating func append(style: FrameStyle, _ body: (inout [UInt8]) -> Void) {
        withLastPiece { frame(&$0, style, body) }
    }

    mutating func append(_ frames: [UInt8]) {
        withLastPiece { $0.append(contentsOf: frames) }
    }

    private mutating func withLastPiece(_ append: (inout [UInt8]) -> Void) {
        if pieces[pieces.count - 1].count >= Self.pieceBytes { pieces.append([]) }
        let last = pieces.count - 1
        let before = pieces[last].count
        append(&pieces[last])
        count += pieces[last].count - before
    }

    /// Writes what goes without waiting; nil while the descriptor is fine, else the error number.
    mutating func write(to descriptor: OutputDescriptor) -> CInt? {
        while count > 0 {
            let result = pieces[0].withUnsafeBytes {
                descriptor.write(UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            switch result {
            case .wrote(let length):
                written += length
                count -= length
                if written == pieces[0].count { dropFirstPiece() }
            case .wouldBlock: return nil
            case .closed(let number): return number
            }
        }
        return nil
    }

    private mutating func dropFirstPiece() {
        written = 0
        if pieces.count > 1 {
            pieces.removeFirst()
        } else if pieces[0].capacity > Self.keptBytes {
            pieces[0] = []
        } else {
            pieces[0].removeAll(keepingCapacity: true)
        }
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
