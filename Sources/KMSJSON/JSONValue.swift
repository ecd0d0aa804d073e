/// One value in a text that has been checked as a whole. It keeps the text and the value's range in it; numbers stay as
/// they were written, and strings are decoded on demand.
///
/// The terms of this module:
/// - text: one whole JSON text (RFC 8259), as UTF-8 bytes
/// - value: an object, array, string, number, `true`, `false` or `null`; its kind says which
/// - token: the kind and the byte range of a value in a text
/// - member: a name and a value in an object; element: a value in an array; item: either
/// - contents: the bytes between a string's quotes; decoding turns its escapes into characters
/// - plain: a character of a string that needs no escape and is ASCII
public struct JSONValue: Sendable {
    let text: [UInt8]
    let token: JSONToken

    /// Checks a whole text (RFC 8259, as strictly as `JSONScanner`).
    public init(
        parsing text: [UInt8], maximumDepth: Int = JSONScanner.defaultMaximumDepth
    ) throws(JSONError) {
        // `withUnsafeBufferPointer` has no typed throws over a `Result`-free closure that the compiler infers here.
        let result = text.withUnsafeBufferPointer { bytes -> Result<JSONToken, JSONError> in
            var scanner = JSONScanner(bytes, maximumDepth: maximumDepth)
            return Result { () throws(JSONError) in try scanner.scanText() }
        }
        self.init(text: text, token: try result.get())
    }

    /// Checks a whole text (RFC 8259, as strictly as `JSONScanner`).
    public init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Copies a value out of a text.
    ///
    /// - Parameter bytes: the text that the token was scanned from, which must have been checked. The value's bytes are
    ///   copied.
    public init(copying token: JSONToken, from bytes: UnsafeBufferPointer<UInt8>) {
        text = Array(bytes[token.range])
        self.token = JSONToken(token.kind, from: 0, to: text.count, hasEscapes: token.hasEscapes)
    }

    init(text: [UInt8], token: JSONToken) {
        self.text = text
        self.token = token
    }

    /// What kind of value it is.
    public var kind: JSONKind { token.kind }

    /// The value exactly as it was written.
    public var bytes: ArraySlice<UInt8> { text[token.range] }

    /// The value's text without white space between its tokens, otherwise as it was written. It is always one line,
    /// since a string can't contain an unescaped line feed (RFC 8259, section 7).
    package var compacted: [UInt8] {
        var compacted: [UInt8] = []
        compacted.reserveCapacity(bytes.count)
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            } else {
                switch byte {
                case 0x20, 0x09, 0x0A, 0x0D: continue
                case UInt8(ascii: "\""): isInString = true
                default: break
                }
            }
            compacted.append(byte)
        }
        return compacted
    }

    public var isNull: Bool { kind == .null }

    /// A string's characters, with escapes decoded; nil for other kinds.
    public var string: String? {
        guard kind == .string else { return nil }
        return text.withUnsafeBufferPointer { token.string(from: $0) }
    }

    /// A number's value if it is an integer that fits into an `Int`, however it is written (`2`, `2.0`, `2e0`); nil
    /// otherwise.
    public var integer: Int? {
        guard kind == .number else { return nil }
        return text.withUnsafeBufferPointer { JSONNumber.integer(UnsafeBufferPointer(rebasing: $0[token.range])) }
    }

    /// Whether it is `true` or `false`; nil for other kinds.
    public var bool: Bool? {
        guard kind == .bool else { return nil }
        return text[token.start] == UInt8(ascii: "t")
    }

    /// An array's elements, in order; nil for other kinds.
    public var elements: [JSONValue]? {
        guard kind == .array else { return nil }
        return Array(IteratorSequence(elementIterator))
    }

    /// An object's members, in order and with duplicates; nil for other kinds.
    public var members: [(name: String, value: JSONValue)]? {
        guard kind == .object else { return nil }
        return Array(IteratorSequence(memberIterator))
    }

    /// An array's elements one at a time, for arrays that may be huge; none for other kinds.
    public var elementIterator: JSONElementIterator { JSONElementIterator(self) }

    /// An object's members one at a time; none for other kinds.
    public var memberIterator: JSONMemberIterator { JSONMemberIterator(self) }

    /// The value of the last member with this name; nil if there is none or this is not an object.
    public subscript(name: String) -> JSONValue? {
        members?.last { $0.name == name }?.value
    }

    /// The first member name that occurs a second time, compared after decoding; nil if all are unique.
    public var duplicateName: String? {
        guard kind == .object else { return nil }
        return walk { scanner in
            var names = JSONNameSet()
            while let member = try? scanner.nextMember() {
                if !names.insert(member.name, of: scanner.bytes) {
                    return JSONValue(text: text, token: member.name).string
                }
            }
            return nil
        }
    }

    private func walk<Result>(_ body: (inout JSONScanner) -> Result) -> Result {
        text.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes, at: token.start, maximumDepth: .max)
            try? scanner.enter()
            return body(&scanner)
        }
    }
}

/// Iterates over an array's elements without building an array.
public struct JSONElementIterator: IteratorProtocol {
    private var walk: ContainerWalk

    init(_ value: JSONValue) {
        walk = ContainerWalk(value, .array)
    }

    public mutating func next() -> JSONValue? {
        walk.next { scanner throws(JSONError) in try scanner.nextElement() }.map {
            JSONValue(text: walk.text, token: $0)
        }
    }
}

/// Iterates over an object's members without building an array.
public struct JSONMemberIterator: IteratorProtocol {
    private var walk: ContainerWalk

    init(_ value: JSONValue) {
        walk = ContainerWalk(value, .object)
    }

    public mutating func next() -> (name: String, value: JSONValue)? {
        walk.next { scanner throws(JSONError) in try scanner.nextMember() }.map { member in
            let name = JSONValue(text: walk.text, token: member.name).string ?? ""
            return (name, JSONValue(text: walk.text, token: member.value))
        }
    }
}

/// A position in a container of a text that has been checked as a whole.
private struct ContainerWalk {
    let text: [UInt8]
    /// After the opening bracket or the last item; nil at the end, and for other kinds.
    private var offset: Int?

    init(_ value: JSONValue, _ kind: JSONKind) {
        text = value.text
        offset = value.kind == kind ? value.token.start + 1 : nil
    }

    mutating func next<Item>(_ step: (inout JSONScanner) throws(JSONError) -> Item?) -> Item? {
        guard let start = offset else { return nil }
        return text.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes, at: start, maximumDepth: .max)
            // Never throws: the text was checked when it was parsed.
            let item = try? step(&scanner)
            offset = item == nil ? nil : scanner.offset
            return item
        }
    }
}
