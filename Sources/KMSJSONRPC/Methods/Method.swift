import KMSJSON
import KMSPlatform

/// A method that requests can name.
public protocol Method: Sendable {
    var name: String { get }

    /// The parameters that there are, in the order of their positions.
    static var parameterNames: [String] { get }

    /// The result of a request that takes neither waiting nor long work; else nil, and `start` follows. For the hot path:
    /// nothing was copied or allocated for it.
    ///
    /// - Parameter arrival: when the request was read.
    func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)?

    /// Begins the call. It must be finished some time, from any thread, by `Call.succeed` or `Call.fail`.
    ///
    /// Called on the connection's loop, on which nothing else happens meanwhile: it must not wait.
    ///
    /// - Throws: what the request is answered with.
    func start(_ call: Call, _ params: RawParameters?) throws(RPCError)
}

extension Method {
    public static var parameterNames: [String] { [] }

    public func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)? { nil }
}

/// A result that is at hand, or nearly.
public protocol ReadyResult {
    /// Appends it: exactly one JSON value.
    func append(to json: inout [UInt8])
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

/// The methods by name. There are a few, so looking at each is faster than hashing a name.
struct MethodTable: Sendable {
    private let entries: [(name: [UInt8], method: any Method)]

    /// - Precondition: no two methods have the same name.
    init(_ methods: [any Method]) {
        precondition(Set(methods.map(\.name)).count == methods.count)
        entries = methods.map { (Array($0.name.utf8), $0) }
    }

    func method(named name: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) -> (any Method)? {
        if name.hasEscapes {
            let decoded = name.decoded(from: bytes)
            return entries.first { $0.name == decoded }?.method
        }
        let raw = UnsafeBufferPointer(rebasing: bytes[name.contents])
        return entries.first { $0.name.withUnsafeBufferPointer(raw.hasSameBytes) }?.method
    }
}
