import KMSJSON
import KMSPlatform

/// A method of the protocol.
public protocol Method: Sendable {
    var name: String { get }

    /// The names of the parameters, in the order of their positions.
    static var parameterNames: [String] { get }

    /// The result of a request that needs neither waiting nor long work; otherwise nil, and `start` is called. For the
    /// hot path: nothing has been copied or allocated for it.
    ///
    /// - Parameter arrival: when the request was read.
    func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)?

    /// Begins the call. `Call.succeed` or `Call.fail` must eventually finish it, from any thread.
    ///
    /// Called on the connection's loop, which does nothing else meanwhile: it must not block.
    ///
    /// - Throws: the error that answers the request.
    func start(_ call: Call, _ params: RawParameters?) throws(RPCError)
}

extension Method {
    public static var parameterNames: [String] { [] }

    public func answerAtOnce(_ params: RawParameters?, arrival: Instant) -> (any ReadyResult)? { nil }
}

/// A result that is available at once.
public protocol ReadyResult {
    /// Appends the result: exactly one JSON value.
    func append(to json: inout [UInt8])
}

/// The parameters in the input, an object or an array; valid until the method that receives them returns. So a waiting
/// call keeps only what it has copied.
public struct RawParameters {
    /// The whole message, which contains the parameters.
    public let bytes: UnsafeBufferPointer<UInt8>
    public let token: JSONToken

    package init(bytes: UnsafeBufferPointer<UInt8>, token: JSONToken) {
        self.bytes = bytes
        self.token = token
    }

    /// The parameters alone, as written.
    public var ownBytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[token.range]) }

    /// A copy that can be kept.
    public var value: JSONValue { JSONValue(copying: token, from: bytes) }
}

/// A value in the input, valid until the method that receives it returns.
public struct RawValue {
    let bytes: UnsafeBufferPointer<UInt8>
    let token: JSONToken

    init(_ token: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        self.token = token
    }

    public var kind: JSONKind { token.kind }

    /// A copy that can be kept.
    public var value: JSONValue { JSONValue(copying: token, from: bytes) }

    /// Whether it is a string that equals this ASCII text.
    public func isString(_ characters: StaticString) -> Bool { token.isString(characters, in: bytes) }

    /// Whether it is a string that begins with this ASCII text.
    public func hasPrefix(_ characters: StaticString) -> Bool { value.string?.hasPrefix("\(characters)") ?? false }

    /// The first member name that occurs a second time, compared after decoding; nil if all are unique.
    public var duplicateName: String? {
        guard kind == .object else { return nil }
        var scanner = JSONScanner(bytes, at: token.start, maximumDepth: .max)
        var names = JSONNameSet()
        // Never throws: the text was checked when it was read.
        try? scanner.enter()
        while let member = try? scanner.nextMember() {
            if !names.insert(member.name, of: bytes) { return member.name.string(from: bytes) }
        }
        return nil
    }

    /// The value of the last member with this name; nil if there is none or this is not an object.
    public func member(_ name: StaticString) -> RawValue? {
        guard kind == .object else { return nil }
        var scanner = JSONScanner(bytes, at: token.start, maximumDepth: .max)
        var value: RawValue?
        try? scanner.enter()
        while let member = try? scanner.nextMember() {
            if member.name.isString(name, in: bytes) { value = RawValue(member.value, in: bytes) }
        }
        return value
    }
}

extension RawParameters {
    /// The members of an object, or the elements of an array.
    ///
    /// - Parameter value: an object or an array.
    public init(_ value: RawValue) { self.init(bytes: value.bytes, token: value.token) }

    public var raw: RawValue { RawValue(token, in: bytes) }
}

/// The methods by name. There are only a few, so comparing with each is faster than hashing.
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
