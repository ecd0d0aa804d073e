import KMSJSON

/// The parameters of a call, by name or by position. Every accessor throws the `-32602` that answers the request; null
/// means an absent parameter.
///
/// Like the `RawParameters` that they are made from, they are valid until the method that received those returns.
public struct Parameters {
    private let bytes: UnsafeBufferPointer<UInt8>
    /// Only a few, so comparing with each is faster than hashing names.
    private var values: [(name: String, token: JSONToken)] = []

    /// - Parameters:
    ///   - params: nil if the request has none.
    ///   - names: the names of the method's parameters, in the order of their positions. `_meta` is always allowed.
    ///   - byPosition: whether an array is accepted.
    public init(_ params: RawParameters?, names: [String], byPosition: Bool = true) throws(RPCError) {
        bytes = params?.bytes ?? UnsafeBufferPointer(start: nil, count: 0)
        guard let params else { return }
        var scanner = JSONScanner(bytes, at: params.token.start, maximumDepth: .max)
        // The scanner never throws here: the text was checked when it was read.
        try? scanner.enter()
        if params.token.kind == .array {
            try readElements(&scanner, names, byPosition: byPosition)
        } else {
            try readMembers(&scanner, names)
        }
    }

    private mutating func readElements(
        _ scanner: inout JSONScanner, _ names: [String], byPosition: Bool
    ) throws(RPCError) {
        // One at a time: there may be as many as fit into a message.
        while let element = try? scanner.nextElement() {
            guard byPosition else {
                throw .invalidParams(nil, "must be an object: this method takes parameters by name")
            }
            guard values.count < names.count else {
                throw .invalidParams(nil, "has more elements than the method's \(names.count) parameters")
            }
            values.append((names[values.count], element))
        }
    }

    private mutating func readMembers(_ scanner: inout JSONScanner, _ names: [String]) throws(RPCError) {
        while let member = try? scanner.nextMember() {
            let name = member.name.string(from: bytes)
            guard names.contains(name) || name == "_meta" else {
                throw .unknownParameter(name, known: names)
            }
            values.append((name, member.value))
        }
    }

    /// The value, which may be null; throws if it is absent.
    public func required(_ name: String) throws(RPCError) -> JSONValue {
        JSONValue(copying: try requiredToken(name), from: bytes)
    }

    /// Like `required`, but as a token of the message.
    func requiredToken(_ name: String) throws(RPCError) -> JSONToken {
        guard let token = token(name) else { throw .invalidParams(name, "is missing") }
        return token
    }

    /// The value; nil if it is absent or null.
    public func optional(_ name: String) -> JSONValue? {
        guard let token = token(name), token.kind != .null else { return nil }
        return JSONValue(copying: token, from: bytes)
    }

    private func token(_ name: String) -> JSONToken? {
        values.last { $0.name == name }?.token
    }

    /// A string; throws if it is absent or of another kind.
    public func requiredString(_ name: String) throws(RPCError) -> String {
        guard let string = try optionalString(name) else { throw .invalidParams(name, "is missing") }
        return string
    }

    /// A string; nil if absent. Throws if it is of another kind.
    public func optionalString(_ name: String) throws(RPCError) -> String? {
        guard let token = token(name), token.kind != .null else { return nil }
        guard token.kind == .string else { throw .invalidParams(name, "must be a string") }
        return token.string(from: bytes)
    }

    /// An integer in any spelling (`2`, `2.0`, `2e0`); nil if absent. Throws if it is out of range.
    public func optionalInteger(_ name: String, in range: ClosedRange<Int>) throws(RPCError) -> Int? {
        guard let value = optional(name) else { return nil }
        guard let integer = value.integer, range.contains(integer) else {
            let limits =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw .invalidParams(name, "must be an integer \(limits)")
        }
        return integer
    }

    /// An array of strings; nil if absent. Throws if it is anything else.
    public func optionalStrings(_ name: String) throws(RPCError) -> [String]? {
        guard let value = optional(name) else { return nil }
        guard value.kind == .array else { throw .invalidParams(name, "must be an array of strings") }
        var strings: [String] = []
        var elements = value.elementIterator
        while let element = elements.next() {
            guard let string = element.string else { throw .invalidParams(name, "must be an array of strings") }
            strings.append(string)
        }
        return strings
    }
}
