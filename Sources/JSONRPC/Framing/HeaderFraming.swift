/// `Content-Length: N`, an empty line, and N bytes of JSON: how editors' libraries speak (Language Server Protocol 3.17,
/// "Base Protocol"). Other headers are ignored; lines end with CR LF, and LF alone is tolerated.
public struct HeaderFraming: Framing {
    /// A header block of ours is 30 bytes; one that is so much longer is no header block.
    static let maximumHeaderBytes = 8 << 10

    let maximumMessageBytes: Int
    /// The rest of a body that was refused.
    private var bytesToSkip = 0

    public init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    public var style: FrameStyle { .headers }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        if bytesToSkip > 0 {
            let count = min(bytesToSkip, bytes.count)
            bytesToSkip -= count
            return count == 0 ? .incomplete : .skip(count)
        }
        guard !bytes.isEmpty else { return .incomplete }
        // A blank line between messages is no header block.
        if bytes[0] == UInt8(ascii: "\r") || bytes[0] == UInt8(ascii: "\n") { return .skip(1) }

        guard let block = Self.headerBlock(in: bytes) else {
            if bytes.count > Self.maximumHeaderBytes { return .stop(.badFrame("it is longer than 8 KiB")) }
            return isEnd ? .stop(.badFrame("the stream ends inside it")) : .incomplete
        }
        let length: Int
        do {
            length = try Self.contentLength(in: bytes[block.headers])
        } catch {
            return .stop(error)
        }
        if length > maximumMessageBytes {
            bytesToSkip = length
            return .refuse(.tooLong(maximumMessageBytes), consumed: block.end)
        }
        let end = block.end + length
        guard end <= bytes.count else {
            return isEnd ? .stop(.badFrame("the stream ends inside the body")) : .incomplete
        }
        if length == 0 { return .skip(end) }
        return .message(block.end..<end, consumed: end)
    }

    /// The header lines, and the end of the empty line behind them; nil while that has not come.
    private static func headerBlock(
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> (headers: Range<Int>, end: Int)? {
        var lineStart = 0
        for index in 0..<min(bytes.count, maximumHeaderBytes) where bytes[index] == UInt8(ascii: "\n") {
            let isEmpty = index == lineStart || (index == lineStart + 1 && bytes[lineStart] == UInt8(ascii: "\r"))
            if isEmpty { return (0..<lineStart, index + 1) }
            lineStart = index + 1
        }
        return nil
    }

    private static func contentLength(in headers: Slice<UnsafeBufferPointer<UInt8>>) throws(RPCError) -> Int {
        var length: Int?
        for line in headers.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self)
            guard let colon = text.firstIndex(of: ":") else { throw .badFrame("a line has no colon") }
            guard text[..<colon].lowercased() == "content-length" else { continue }
            let digits = text[text.index(after: colon)...].filter { !$0.isWhitespace }
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(digits)
            else { throw .badFrame("Content-Length is not a number of bytes") }
            guard length == nil || length == value else { throw .badFrame("Content-Length comes twice") }
            length = value
        }
        guard let length else { throw .badFrame("Content-Length is missing") }
        return length
    }
}
