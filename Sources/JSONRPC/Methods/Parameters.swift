import JSON

/// The parameters of a call, by name or by position. Every accessor throws the `-32602` that the request is answered
/// with; null stands for an absent parameter.
public struct Parameters {
    private var values: [String: JSONValue] = [:]

    /// - Parameters:
    ///   - params: an object or an array, or nil for none.
    ///   - names: the parameters that there are, in the order of their positions. `_meta` is always allowed.
    ///   - byPosition: whether an array is accepted.
    public init(_ params: JSONValue?, names: [String], byPosition: Bool = true) throws(RPCError) {
        guard let params else { return }
        // One by one: there may be as many as a message can hold.
        var elements = params.elementIterator
        var count = 0
        while let element = elements.next() {
            guard byPosition else {
                throw .invalidParams(nil, "must be an object: this method takes its parameters by name")
            }
            guard count < names.count else {
                throw .invalidParams(nil, "are more than the \(names.count) that the method takes")
            }
            values[names[count]] = element
            count += 1
        }
        var members = params.memberIterator
        while let (name, value) = members.next() {
            guard names.contains(name) || name == "_meta" else {
                throw .invalidParams(name, "is not a parameter of this method")
            }
            values[name] = value
        }
    }

    /// The value as it is, null included.
    public func required(_ name: String) throws(RPCError) -> JSONValue {
        guard let value = values[name] else { throw .invalidParams(name, "is missing") }
        return value
    }

    public func optional(_ name: String) -> JSONValue? {
        values[name].flatMap { $0.isNull ? nil : $0 }
    }

    public func requiredString(_ name: String) throws(RPCError) -> String {
        guard let string = try optionalString(name) else { throw .invalidParams(name, "is missing") }
        return string
    }

    public func optionalString(_ name: String) throws(RPCError) -> String? {
        guard let value = optional(name) else { return nil }
        guard let string = value.string else { throw .invalidParams(name, "must be a string") }
        return string
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
