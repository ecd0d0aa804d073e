import KMSPlatform

/// How messages are cut out of a byte stream and put into one. A value that the connection is given.
public protocol Framing: Sendable {
    /// What comes next in the bytes that were not consumed yet.
    ///
    /// Called again after its answer was obeyed, or after bytes were added. It remembers what it has searched, so that
    /// the time is linear in the bytes however they trickle in.
    ///
    /// - Parameters:
    ///   - bytes: everything not consumed, from the front.
    ///   - isEnd: no byte will follow.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep

    /// How answers are put into the other stream. Valid once a message was seen.
    var style: FrameStyle { get }
}

/// What a connection is to do with its input.
public enum FramingStep: Equatable, Sendable {
    /// Come again with more bytes; at the end of the stream: there is nothing more.
    case incomplete
    /// Consume that many bytes, which carry no message.
    case skip(Int)
    /// A message: its bytes, and how many to consume when it has been dealt with.
    case message(Range<Int>, consumed: Int)
    /// Refuse a message of more than the maximum, in bytes, and go on after the consumed bytes.
    case tooLong(maximum: Int, consumed: Int)
    /// Answer with the error; the rest of the stream can't be read.
    case stop(RPCError)
}

/// What stands around an answer.
public enum FrameStyle: Sendable {
    /// LF after it.
    case line
    /// `Content-Length` headers before it, as the Language Server Protocol has them.
    case headers
}

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

/// What may stand before a message and means nothing: a byte order mark at the very start of the stream, and lines of
/// white space, as editors' clients and people who try things by hand leave between messages. It is consumed as it comes,
/// so it takes no memory, however long it is.
struct StreamFiller: Sendable {
    enum Step: Equatable {
        /// Consume that many bytes, which mean nothing.
        case skip(Int)
        /// More bytes decide.
        case incomplete
        /// A message, or something that claims to be one, begins here.
        case message
    }

    private var isStreamStart = true
    /// Whether white space was consumed that stands before the message on its line.
    private(set) var isIndented = false

    /// - Parameters:
    ///   - bytes: everything that was not consumed, which does not begin inside a message.
    ///   - isEnd: no byte will follow.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> Step {
        let start = nextAtStart(in: bytes, isEnd: isEnd)
        guard start == .message else { return start }
        var end = 0
        while end < bytes.count, bytes[end].isASCIIBlank || bytes[end] == 0x0D || bytes[end] == 0x0A {
            isIndented = bytes[end] != UInt8(ascii: "\n")
            end += 1
        }
        if end > 0 { return .skip(end) }
        return bytes.isEmpty ? .incomplete : .message
    }

    /// As `next`, for the byte order mark alone.
    mutating func nextAtStart(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> Step {
        guard isStreamStart else { return .message }
        let mark = StaticString.byteOrderMark.bytes
        let begins = bytes.prefix(mark.count).elementsEqual(mark.prefix(bytes.count))
        if begins, bytes.count < mark.count, !isEnd { return .incomplete }
        isStreamStart = false
        return begins && bytes.count >= mark.count ? .skip(mark.count) : .message
    }
}
