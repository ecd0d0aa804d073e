import KMSPlatform

/// How messages are delimited in a byte stream, in both directions.
public protocol Framing: Sendable {
    /// The next step in the bytes that have not been consumed.
    ///
    /// Called again after the step has been carried out, or after bytes have been added. It remembers what it has
    /// searched, so that the total time is linear in the bytes, however slowly they arrive.
    ///
    /// - Parameters:
    ///   - bytes: all bytes that have not been consumed.
    ///   - isEnd: whether no more bytes will follow.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> FramingStep

    /// How answers are framed. Valid once a message has been read.
    var style: FrameStyle { get }
}

/// What a connection should do with its input.
public enum FramingStep: Equatable, Sendable {
    /// Wait for more bytes; at the end of the stream: there is no further message.
    case incomplete
    /// Consume this many bytes, which contain no message.
    case skip(Int)
    /// A message: its bytes, and how many to consume after it.
    case message(Range<Int>, consumed: Int)
    /// Refuse a message longer than the maximum, in bytes, and continue after the consumed bytes.
    case tooLong(maximum: Int, consumed: Int)
    /// Answer with this error; the rest of the stream can't be read.
    case stop(RPCError)
}

/// How an answer is delimited.
public enum FrameStyle: Sendable {
    /// Followed by LF.
    case line
    /// Preceded by `Content-Length` headers, as in the Language Server Protocol.
    case headers
}

/// Headers if the first line that is not blank starts with `Content-` (in any case), otherwise lines. Chosen once.
public struct AutomaticFraming: Framing {
    private static let prefix = Array("content-".utf8)

    /// Not `any Framing`, which would be boxed and unboxed for every message.
    private enum Choice {
        case undecided
        case line(LineFraming)
        case headers(HeaderFraming)
    }

    private let maximumMessageBytes: Int
    private var choice = Choice.undecided
    /// Skips everything before the line that decides.
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

/// Skips what may precede a message and has no meaning: a byte order mark at the very start of the stream, and lines of
/// white space, which editors' clients and people who type by hand leave between messages. It is consumed as it
/// arrives, so it takes no memory, however long it is.
struct StreamFiller: Sendable {
    enum Step: Equatable {
        /// Consume this many bytes, which have no meaning.
        case skip(Int)
        /// More bytes are needed to decide.
        case incomplete
        /// A message begins here, or something that looks like one.
        case message
    }

    private var isStreamStart = true
    /// Whether white space before the message on its own line was consumed.
    private(set) var isIndented = false

    /// - Parameters:
    ///   - bytes: all bytes that have not been consumed; they must not begin inside a message.
    ///   - isEnd: whether no more bytes will follow.
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

    /// Like `next`, but only for the byte order mark.
    mutating func nextAtStart(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> Step {
        guard isStreamStart else { return .message }
        let mark = StaticString.byteOrderMark.bytes
        let begins = bytes.prefix(mark.count).elementsEqual(mark.prefix(bytes.count))
        if begins, bytes.count < mark.count, !isEnd { return .incomplete }
        isStreamStart = false
        return begins && bytes.count >= mark.count ? .skip(mark.count) : .message
    }
}
