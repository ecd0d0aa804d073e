import KMSPlatform

/// One JSON text per line, ended by LF. CR before LF, blank lines, and a byte order mark at the very start are
/// tolerated; the last line may lack its LF.
public struct LineFraming: Framing {
    let maximumMessageBytes: Int

    /// Used only for the byte order mark: here blank lines count as lines.
    private var filler: StreamFiller
    /// How many bytes at the front are known to contain no LF.
    private var searched = 0
    /// Inside a line that was refused: its rest is dropped as it arrives, so that it takes no memory.
    private var isSkipping = false

    /// - Parameter maximumMessageBytes: the maximum length of a line in bytes, without its end; longer ones are
    ///   refused.
    public init(maximumMessageBytes: Int) {
        self.init(maximumMessageBytes: maximumMessageBytes, filler: StreamFiller())
    }

    init(maximumMessageBytes: Int, filler: StreamFiller) {
        self.maximumMessageBytes = maximumMessageBytes
        self.filler = filler
    }

    public var style: FrameStyle { .line }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        switch filler.nextAtStart(in: bytes, isEnd: isEnd) {
        case .skip(let count): return .skip(count)
        case .incomplete: return .incomplete
        case .message: break
        }
        if let end = lineFeed(in: bytes) {
            searched = 0
            if isSkipping {
                isSkipping = false
                return .skip(end + 1)
            }
            return step(forLine: bytes, endingAt: end, consumed: end + 1)
        }
        if isSkipping { return bytes.isEmpty ? .incomplete : .skip(bytes.count) }
        // One more byte than the maximum may be the CR of a line that just fits.
        if bytes.count - 1 > maximumMessageBytes {
            searched = 0
            isSkipping = true
            return .tooLong(maximum: maximumMessageBytes, consumed: bytes.count)
        }
        if isEnd, !bytes.isEmpty {
            searched = 0
            return step(forLine: bytes, endingAt: bytes.count, consumed: bytes.count)
        }
        searched = bytes.count
        return .incomplete
    }

    private func step(
        forLine bytes: UnsafeBufferPointer<UInt8>, endingAt lineEnd: Int, consumed: Int
    ) -> FramingStep {
        var end = lineEnd
        if end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        if end > maximumMessageBytes { return .tooLong(maximum: maximumMessageBytes, consumed: consumed) }
        let isBlank = bytes[..<end].allSatisfy { $0.isASCIIBlank || $0 == UInt8(ascii: "\r") }
        return isBlank ? .skip(consumed) : .message(0..<end, consumed: consumed)
    }

    private func lineFeed(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress, searched < bytes.count,
            let found = memchr(base + searched, CInt(UInt8(ascii: "\n")), bytes.count - searched)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
}
