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

/// A value where it lies in the input, valid until the method that is given it returns.
public struct RawValue {
    let bytes: UnsafeBufferPointer<UInt8>
    let token: JSONToken

    init(_ token: JSONToken, in bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        self.token = token
    }

    public var kind: JSONKind { token.kind }

    /// A copy, to keep.
    public var value: JSONValue { JSONValue(copying: token, from: bytes) }

    /// Whether it is the string of these ASCII characters.
    public func isString(_ characters: StaticString) -> Bool { token.isString(characters, in: bytes) }

    /// Whether it is a string that begins with these ASCII characters.
    public func hasPrefix(_ characters: StaticString) -> Bool { value.string?.hasPrefix("\(characters)") ?? false }

    /// The first name that an object has twice, compared after unescaping; nil if each is unique.
    public var duplicateName: String? {
        guard kind == .object else { return nil }
        var scanner = JSONScanner(bytes, at: token.start, maximumDepth: .max)
        var names = JSONNameSet()
        // Nothing can be thrown: the text was checked when it was read.
        try? scanner.enter()
        while let member = try? scanner.nextMember() {
            if !names.insert(member.name, of: bytes) { return member.name.string(from: bytes) }
        }
        return nil
    }

    /// The last member of that name; nil if there is none, or this is no object.
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
