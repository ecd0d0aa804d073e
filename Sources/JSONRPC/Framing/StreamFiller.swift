import Platform

/// What may stand before a message and means nothing: a byte order mark at the very start of the stream, and lines of
/// white space, as editors' clients and people who try things by hand leave between messages.
struct StreamFiller: Sendable {
    /// White space without the end of its line is kept up to here, as nothing tells yet what it belongs to.
    static let maximumPendingBytes = 8 << 10

    enum Step: Equatable {
        /// Consume so many bytes, which mean nothing.
        case skip(Int)
        /// More bytes decide.
        case incomplete
        /// A message, or something that claims to be one, begins here.
        case message
    }

    private var isStreamStart = true
    /// So many bytes at the front are known to be white space without the end of a line.
    private var searched = 0

    /// - Parameters:
    ///   - bytes: everything that was not consumed, which does not begin inside a message.
    ///   - isEnd: no byte will follow.
    mutating func next(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> Step {
        let start = nextAtStart(in: bytes, isEnd: isEnd)
        guard start == .message else { return start }
        for index in searched..<bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\n"):
                searched = 0
                return .skip(index + 1)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): continue
            default:
                searched = 0
                return .message
            }
        }
        guard bytes.count <= Self.maximumPendingBytes else { return .message }
        searched = isEnd ? 0 : bytes.count
        // At the end, a blank line may lack its end as any other may.
        return isEnd && !bytes.isEmpty ? .skip(bytes.count) : .incomplete
    }

    /// As `next`, for the byte order mark alone.
    mutating func nextAtStart(in bytes: UnsafeBufferPointer<UInt8>, isEnd: Bool) -> Step {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard isStreamStart else { return .message }
        let begins = bytes.prefix(mark.count).elementsEqual(mark.prefix(bytes.count))
        if begins, bytes.count < mark.count, !isEnd { return .incomplete }
        isStreamStart = false
        return begins && bytes.count >= mark.count ? .skip(mark.count) : .message
    }
}
