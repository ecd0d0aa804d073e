import Platform

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
        while end < bytes.count, Self.isWhiteSpace(bytes[end]) {
            isIndented = bytes[end] != UInt8(ascii: "\n")
            end += 1
        }
        if end > 0 { return .skip(end) }
        return bytes.isEmpty ? .incomplete : .message
    }

    private static func isWhiteSpace(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): true
        default: false
        }
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
