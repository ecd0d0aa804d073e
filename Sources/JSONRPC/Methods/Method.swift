import JSON
import Platform

/// A method that requests can name.
public protocol Method: Sendable {
    var name: String { get }

    /// The parameters that there are, in the order of their positions.
    static var parameterNames: [String] { get }

    /// Whether a call ends soon whatever others do, since it waits for nothing outside of the process. Such calls are
    /// finished before the connection ends on `exit`, which drops those that may wait for a network.
    static var isLocal: Bool { get }

    /// Answers a request at once if that takes neither waiting nor long work: appends the result's JSON to `json` and
    /// returns true. Else it appends nothing and returns false, and `start` follows. For the hot path: it is called on
    /// the connection's thread, and nothing was copied or allocated for it.
    ///
    /// - Parameter arrival: when the request was read.
    func answerAtOnce(_ params: RawParameters?, arrival: Instant, into json: inout [UInt8]) -> Bool

    /// Begins the call. It must be finished some time, from any thread, by `Call.succeed` or `Call.fail`.
    ///
    /// Called on the connection's thread, which reads nothing meanwhile: it must not wait.
    ///
    /// - Throws: what the request is answered with.
    func start(_ call: Call, _ params: RawParameters?) throws(RPCError)
}

extension Method {
    public static var parameterNames: [String] { [] }

    public static var isLocal: Bool { false }

    public func answerAtOnce(_ params: RawParameters?, arrival: Instant, into json: inout [UInt8]) -> Bool { false }
}

/// Parameters where they lie in the input: an object or an array, valid until the method that is given them returns. So a
/// call that waits holds no more than what it read out of them.
public struct RawParameters {
    /// The message; it holds the parameters and more.
    public let bytes: UnsafeBufferPointer<UInt8>
    public let token: JSONToken

    package init(bytes: UnsafeBufferPointer<UInt8>, token: JSONToken) {
        self.bytes = bytes
        self.token = token
    }

    /// The parameters alone, as they were written.
    public var ownBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[token.range]) }

    /// A copy, to keep.
    public var value: JSONValue { JSONValue(copying: token, from: bytes) }
}
