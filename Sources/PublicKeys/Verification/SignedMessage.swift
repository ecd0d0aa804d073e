/// What a signature is checked against.
public enum SignedMessage: Sendable {
    /// The message, which is yet to be hashed.
    case data([UInt8])
    /// The message's digest by the hash of the signature's algorithm.
    case digest([UInt8])
}
