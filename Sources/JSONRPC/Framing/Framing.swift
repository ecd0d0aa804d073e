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
