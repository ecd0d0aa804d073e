/// Headers if the first line starts with `Content-` (in any case), else lines. Chosen once.
public struct AutomaticFraming: Framing {
    private static let prefix = Array("content-".utf8)

    private let maximumMessageBytes: Int
    private var isStart = true
    private var chosen: (any Framing)?

    public init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    public var style: FrameStyle { chosen?.style ?? .line }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        if chosen == nil {
            // As lines have it, a BOM and blank lines do not count.
            switch isStart ? LineFraming.byteOrderMark(in: bytes) : .absent {
            case .present: isStart = false; return .skip(3)
            case .undecided where !isEnd && !bytes.isEmpty: return .incomplete
            case .undecided, .absent: isStart = bytes.isEmpty && isStart
            }
            let blank = bytes.prefix { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A }.count
            if blank > 0 { return .skip(blank) }
            let start = bytes.prefix(Self.prefix.count)
            let matches = start.map(\.asciiLowercased).elementsEqual(Self.prefix.prefix(start.count))
            if matches, start.count < Self.prefix.count, !isEnd { return .incomplete }
            chosen =
                matches && start.count == Self.prefix.count
                ? HeaderFraming(maximumMessageBytes: maximumMessageBytes)
                : LineFraming(maximumMessageBytes: maximumMessageBytes, isStart: false)
        }
        return chosen?.next(in: bytes, isEnd: isEnd) ?? .incomplete
    }
}
