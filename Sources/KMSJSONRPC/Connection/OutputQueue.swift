import KMSPlatform

/// Complete answers that wait to be written, oldest first.
///
/// They are stored in chunks, so that a queue of megabytes is not moved when it grows, and releases its memory when it
/// shrinks.
struct OutputQueue: Sendable {
    /// Large enough to be worth a system call; the capacity of a pipe on Linux.
    private static let chunkBytes = 64 << 10

    /// Never empty: answers are appended to the last chunk, and written from the first.
    private var chunks: [[UInt8]] = [[]]
    /// How many bytes at the front of the first chunk have been written.
    private var written = 0

    /// Bytes that have not been written.
    private(set) var count = 0

    /// Appends one complete frame around the JSON text that `body` appends.
    mutating func append(style: FrameStyle, _ body: (inout [UInt8]) -> Void) {
        if chunks[chunks.count - 1].count >= Self.chunkBytes { chunks.append([]) }
        let last = chunks.count - 1
        let before = chunks[last].count
        frame(&chunks[last], style, body)
        count += chunks[last].count - before
    }

    /// Writes as much as fits without waiting; nil if the descriptor is usable, otherwise the error number.
    mutating func write(to descriptor: OutputDescriptor) -> CInt? {
        while count > 0 {
            let result = chunks[0].withUnsafeBytes {
                descriptor.write(UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            switch result {
            case .wrote(let bytes): drop(bytes)
            case .wouldBlock: return nil
            case .closed(let number): return number
            }
        }
        return nil
    }

    /// Drops all waiting answers, except the rest of an answer that was written in part: that rest is written if the
    /// descriptor can be enlarged to hold it, so that a late reader does not find half an answer.
    ///
    /// - Parameter style: how the frames are delimited.
    mutating func completeWrittenAnswer(to descriptor: OutputDescriptor, style: FrameStyle) {
        defer { self = OutputQueue() }
        guard written > 0 else { return }
        let end = style.endOfFrame(in: chunks[0], around: written)
        while written < end {
            let result = chunks[0].withUnsafeBytes {
                descriptor.write(UnsafeRawBufferPointer(rebasing: $0[written..<end]))
            }
            switch result {
            case .wrote(let bytes): written += bytes
            case .wouldBlock: guard descriptor.enlarge() else { return }
            case .closed: return
            }
        }
    }

    /// Removes what was written from the first chunk.
    private mutating func drop(_ bytes: Int) {
        count -= bytes
        written += bytes
        guard written == chunks[0].count else { return }
        written = 0
        if chunks.count > 1 {
            chunks.removeFirst()
        } else if chunks[0].capacity > 4 * Self.chunkBytes {
            // One huge answer.
            chunks[0] = []
        } else {
            chunks[0].removeAll(keepingCapacity: true)
        }
    }
}

extension FrameStyle {
    /// The end of the frame that contains an offset, or the offset itself if it is between two frames.
    ///
    /// - Parameter frames: complete frames, as `frame` writes them.
    fileprivate func endOfFrame(in frames: [UInt8], around offset: Int) -> Int {
        switch self {
        case .line:
            guard offset > 0, frames[offset - 1] != UInt8(ascii: "\n") else { return offset }
            return (frames[offset...].firstIndex(of: UInt8(ascii: "\n")) ?? frames.count - 1) + 1
        case .headers:
            var end = 0
            while end < offset {
                let length = frames[(end + FrameStyle.lengthHeader.utf8.count)...].prefix { $0 != UInt8(ascii: "\r") }
                let body = length.endIndex + FrameStyle.endOfHeaders.utf8.count
                end = body + (Int(String(decoding: length, as: UTF8.self)) ?? frames.count - body)
            }
            return end
        }
    }

    fileprivate static let lengthHeader = "Content-Length: "
    fileprivate static let endOfHeaders = "\r\n\r\n"
}

/// Appends to `bytes` the JSON text that `body` appends, framed in this style.
func frame(_ bytes: inout [UInt8], _ style: FrameStyle, _ body: (inout [UInt8]) -> Void) {
    let start = bytes.count
    body(&bytes)
    switch style {
    case .line:
        bytes.append(UInt8(ascii: "\n"))
    case .headers:
        let head = "\(FrameStyle.lengthHeader)\(bytes.count - start)\(FrameStyle.endOfHeaders)"
        bytes.insert(contentsOf: head.utf8, at: start)
    }
}
