import KMSJSON

/// The parameters of a call, by name or by position. Every accessor throws the `-32602` that the request is answered
/// with; null stands for an absent parameter.
///
/// Like the `RawParameters` that they are made of, they are valid until the method returns that was given those.
public struct Parameters {
    private let bytes: UnsafeBufferPointer<UInt8>
    /// A few, so that looking at each is faster than hashing names.
    private var values: [(name: String, token: JSONToken)] = []

    /// - Parameters:
    ///   - params: nil for none.
    ///   - names: the parameters that there are, in the order of their positions. `_meta` is always allowed.
    ///   - byPosition: whether an array is accepted.
    public init(_ params: RawParameters?, names: [String], byPosition: Bool = true) throws(RPCError) {
        bytes = params?.bytes ?? UnsafeBufferPointer(start: nil, count: 0)
        guard let params else { return }
        var scanner = JSONScanner(bytes, at: params.token.start, maximumDepth: .max)
        // Nothing of the scanner can be thrown: the text was checked when it was read.
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
        // One by one: there may be as many as a message can hold.
        while let element = try? scanner.nextElement() {
            guard byPosition else {
                throw .invalidParams(nil, "must be an object: this method takes its parameters by name")
            }
            guard values.count < names.count else {
                throw .invalidParams(nil, "are more than the \(names.count) that the method takes")
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

    /// The value as it is, null included.
    public func required(_ name: String) throws(RPCError) -> JSONValue {
        JSONValue(copying: try requiredToken(name), from: bytes)
    }

    /// As `required`, where it lies in the message.
    func requiredToken(_ name: String) throws(RPCError) -> JSONToken {
        guard let token = token(name) else { throw .invalidParams(name, "is missing") }
        return token
    }

    public func optional(_ name: String) -> JSONValue? {
        guard let token = token(name), token.kind != .null else { return nil }
        return JSONValue(copying: token, from: bytes)
    }

    private func token(_ name: String) -> JSONToken? {
        values.last { $0.name == name }?.token
    }

    public func requiredString(_ name: String) throws(RPCError) -> String {
        guard let string = try optionalString(name) else { throw .invalidParams(name, "is missing") }
        return string
    }

    public func optionalString(_ name: String) throws(RPCError) -> String? {
        guard let token = token(name), token.kind != .null else { return nil }
        guard token.kind == .string else { throw .invalidParams(name, "must be a string") }
        return token.string(from: bytes)
    }

    /// An integer in any spelling (`2`, `2.0`, `2e0`).
    public func optionalInteger(_ name: String, in range: ClosedRange<Int>) throws(RPCError) -> Int? {
        guard let value = optional(name) else { return nil }
        guard let integer = value.integer, range.contains(integer) else {
            let limits =
                range.upperBound == .max
                ? "of \(range.lowerBound) or more" : "from \(range.lowerBound) to \(range.upperBound)"
            throw .invalidParams(name, "must be an integer \(limits)")
        }
        return integer
    }

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
