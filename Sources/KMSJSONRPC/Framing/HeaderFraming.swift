import KMSPlatform

/// `Content-Length: N`, an empty line, and N bytes of JSON, as in the base protocol of the Language Server Protocol
/// 3.17. Other headers are ignored. Lines end with CR LF; a bare LF is tolerated, and so are blank lines between
/// messages and a byte order mark at the very start.
public struct HeaderFraming: Framing {
    /// A typical header block has 30 bytes; anything longer than this is not a header block.
    static let maximumHeaderBytes = 8 << 10

    let maximumMessageBytes: Int
    /// Skips what precedes a header block.
    private var filler: StreamFiller
    /// For an incomplete header block at the front: how many bytes have been searched, and where its last line begins.
    private var searched = 0
    private var lineStart = 0
    /// The body of the message at the front, once its headers have been read.
    private var body: (start: Int, count: Int)?
    /// The rest of a body that was refused.
    private var bytesToSkip = 0

    public init(maximumMessageBytes: Int) {
        self.init(maximumMessageBytes: maximumMessageBytes, filler: StreamFiller())
    }

    init(maximumMessageBytes: Int, filler: StreamFiller) {
        self.maximumMessageBytes = maximumMessageBytes
        self.filler = filler
    }

    public var style: FrameStyle { .headers }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        if bytesToSkip > 0 {
            let count = min(bytesToSkip, bytes.count)
            bytesToSkip -= count
            return count == 0 ? .incomplete : .skip(count)
        }
        if let body { return step(forBody: body, in: bytes, isEnd: isEnd) }
        if searched == 0 {
            switch filler.next(in: bytes, isEnd: isEnd) {
            case .skip(let count): return .skip(count)
            case .incomplete: return .incomplete
            case .message: break
            }
            guard !filler.isIndented else { return .stop(.badFrame("white space before the headers")) }
        }

        guard let block = headerBlock(in: bytes) else {
            if bytes.count > Self.maximumHeaderBytes { return .stop(.badFrame("the headers are longer than 8 KiB")) }
            return isEnd ? .stop(.badFrame("the stream ends inside the headers")) : .incomplete
        }
        do {
            let length = try Self.contentLength(in: bytes[block.headers])
            if length > maximumMessageBytes {
                bytesToSkip = length
                return .tooLong(maximum: maximumMessageBytes, consumed: block.end)
            }
            return step(forBody: (block.end, length), in: bytes, isEnd: isEnd)
        } catch {
            return .stop(error)
        }
    }

    private mutating func step(
        forBody body: (start: Int, count: Int), in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool
    ) -> FramingStep {
        guard body.count <= bytes.count - body.start else {
            self.body = body
            return isEnd ? .stop(.badFrame("the stream ends inside the body")) : .incomplete
        }
        self.body = nil
        let end = body.start + body.count
        return body.count == 0 ? .skip(end) : .message(body.start..<end, consumed: end)
    }

    /// The header lines, and the end of the empty line after them; nil if that has not arrived.
    private mutating func headerBlock(
        in bytes: UnsafeBufferPointer<UInt8>
    ) -> (headers: Range<Int>, end: Int)? {
        let end = min(bytes.count, Self.maximumHeaderBytes)
        for index in searched..<end where bytes[index] == UInt8(ascii: "\n") {
            let isEmpty = index == lineStart || (index == lineStart + 1 && bytes[lineStart] == UInt8(ascii: "\r"))
            if isEmpty {
                defer { (searched, lineStart) = (0, 0) }
                return (0..<lineStart, index + 1)
            }
            lineStart = index + 1
        }
        searched = end
        return nil
    }

    private static func contentLength(in headers: Slice<UnsafeBufferPointer<UInt8>>) throws(RPCError) -> Int {
        var length: Int?
        for line in headers.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
                throw .badFrame("a header line has no colon")
            }
            guard isContentLength(line[..<colon]) else { continue }
            guard let value = number(in: line[(colon + 1)...]) else {
                throw .badFrame("Content-Length is not a number of bytes")
            }
            guard length == nil || length == value else {
                throw .badFrame("Content-Length occurs twice, with different values")
            }
            length = value
        }
        guard let length else { throw .badFrame("Content-Length is missing") }
        return length
    }

    private static func isContentLength(_ name: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        name.map(\.asciiLowercased).elementsEqual("content-length".utf8)
    }

    /// Decimal digits with optional white space around them, and nothing else (RFC 9110, section 8.6).
    private static func number(in field: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
        let isBlank = { (byte: UInt8) in byte.isASCIIBlank || byte == UInt8(ascii: "\r") }
        var digits = field.drop(while: isBlank)
        while let last = digits.last, isBlank(last) { digits.removeLast() }
        guard digits.allSatisfy(\.isASCIIDigit) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self))
    }
}
