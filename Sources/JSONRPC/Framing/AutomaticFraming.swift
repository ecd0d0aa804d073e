/// Headers if the first line starts with `Content-` (in any case), else lines. Chosen once.
public struct AutomaticFraming: Framing {
    private static let prefix = Array("content-".utf8)

    private let maximumMessageBytes: Int
    private var chosen: (any Framing)?

    public init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    public var style: FrameStyle { chosen?.style ?? .line }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        if chosen == nil {
            let start = bytes.prefix(Self.prefix.count)
            let matches = start.map(\.asciiLowercased).elementsEqual(Self.prefix.prefix(start.count))
            if matches, start.count < Self.prefix.count, !isEnd { return .incomplete }
            chosen =
                matches && start.count == Self.prefix.count
                ? HeaderFraming(maximumMessageBytes: maximumMessageBytes)
                : LineFraming(maximumMessageBytes: maximumMessageBytes)
        }
        return chosen?.next(in: bytes, isEnd: isEnd) ?? .incomplete
    }
}
