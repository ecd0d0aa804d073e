import Platform

/// Headers if the first line that is not blank starts with `Content-` (in any case), else lines. Chosen once.
public struct AutomaticFraming: Framing {
    private static let prefix = Array("content-".utf8)

    /// Not `any Framing`, which would be unpacked and packed again for every message.
    private enum Choice {
        case undecided
        case line(LineFraming)
        case headers(HeaderFraming)
    }

    private let maximumMessageBytes: Int
    private var choice = Choice.undecided
    /// What stands before the line that decides.
    private var filler = StreamFiller()

    public init(maximumMessageBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
    }

    public var style: FrameStyle {
        switch choice {
        case .undecided: .line
        case .line(let framing): framing.style
        case .headers(let framing): framing.style
        }
    }

    public mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep {
        switch choice {
        case .line(var framing):
            defer { choice = .line(framing) }
            return framing.next(in: bytes, isEnd: isEnd)
        case .headers(var framing):
            defer { choice = .headers(framing) }
            return framing.next(in: bytes, isEnd: isEnd)
        case .undecided:
            switch filler.next(in: bytes, isEnd: isEnd) {
            case .skip(let count): return .skip(count)
            case .incomplete: return .incomplete
            case .message: break
            }
            let start = bytes.prefix(Self.prefix.count)
            let matches =
                !filler.isIndented
                && start.map(\.asciiLowercased).elementsEqual(Self.prefix.prefix(start.count))
            if matches, start.count < Self.prefix.count, !isEnd { return .incomplete }
            choice =
                matches && start.count == Self.prefix.count
                ? .headers(HeaderFraming(maximumMessageBytes: maximumMessageBytes, filler: filler))
                : .line(LineFraming(maximumMessageBytes: maximumMessageBytes, filler: filler))
            return next(in: bytes, isEnd: isEnd)
        }
    }
}
