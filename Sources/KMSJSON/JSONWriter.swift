import KMSPlatform

/// Appends JSON to a byte buffer, on one line and without white space. It adds commas and colons itself.
///
/// ```swift
/// var json = JSONWriter()
/// json.object { object in
///     object.member("keySize", 2048)
///     object.member("names") { $0.array { $0.value("a") } }
/// }
/// // {"keySize":2048,"names":["a"]}
/// ```
public struct JSONWriter {
    /// The JSON written so far.
    public var bytes: [UInt8] { written }

    // Generic functions are inlinable so that the module that calls them can specialise them for its types.
    @usableFromInline var written: [UInt8]
    @usableFromInline var needsComma = false

    /// - Parameter bytes: the buffer to append to.
    public init(appendingTo bytes: [UInt8] = []) {
        written = bytes
    }

    /// - Parameter capacity: the expected number of bytes, so that memory is allocated once.
    package init(capacity: Int) {
        written = []
        written.reserveCapacity(capacity)
    }

    /// Writes an object; `body` writes its members.
    @inlinable public mutating func object(_ body: (inout JSONWriter) -> Void) {
        container(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    /// Writes an array; `body` writes its elements.
    @inlinable public mutating func array(_ body: (inout JSONWriter) -> Void) {
        container(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    /// Writes a member of the current object; `value` writes its value.
    ///
    /// - Parameter name: must consist of characters that need no escape.
    @inlinable public mutating func member(_ name: StaticString, _ value: (inout JSONWriter) -> Void) {
        separate()
        written.append(UInt8(ascii: "\""))
        written.append(name)
        written.append("\":")
        needsComma = false
        value(&self)
    }

    /// Writes a member of the current object.
    ///
    /// - Parameter name: must consist of characters that need no escape.
    @inlinable public mutating func member(_ name: StaticString, _ value: some JSONWritable) {
        member(name) { value.write(to: &$0) }
    }

    /// Writes a member of the current object whose name is not a literal; `value` writes its value.
    @inlinable public mutating func member(named name: String, _ value: (inout JSONWriter) -> Void) {
        self.value(name)
        written.append(UInt8(ascii: ":"))
        needsComma = false
        value(&self)
    }

    /// Writes a member of the current object whose name is not a literal.
    @inlinable public mutating func member(named name: String, _ value: some JSONWritable) {
        member(named: name) { value.write(to: &$0) }
    }

    /// Writes an element of the current array, or the whole text.
    @inlinable public mutating func value(_ value: some JSONWritable) {
        value.write(to: &self)
    }

    /// Writes `null`.
    @inlinable public mutating func null() {
        raw("null".utf8)
    }

    /// Writes a value that is already JSON.
    @inlinable public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        written.append(contentsOf: json)
    }

    @usableFromInline mutating func integer(_ integer: Int) {
        separate()
        written.append(decimal: integer)
    }

    @usableFromInline mutating func string(_ string: String) {
        separate()
        written.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            var start = 0
            while start < utf8.count {
                let end = Self.endOfUnescapedRun(in: utf8, from: start)
                written.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<end]))
                guard end < utf8.count else { break }
                start = end + escape(in: utf8, at: end)
            }
        }
        written.append(UInt8(ascii: "\""))
    }

    private static func endOfUnescapedRun(in utf8: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        while true {
            index = JSONString.endOfPlainRun(in: utf8, from: index)
            guard index < utf8.count, utf8[index] >= 0x80, lineBreak(in: utf8, at: index) == nil else { return index }
            index += 1
        }
    }

    /// The escape of a character that JSON allows unescaped but some line readers treat as a line break (in JavaScript
    /// and Java, and Python's `splitlines`): U+0085, U+2028 and U+2029. Nil for other characters.
    private static func lineBreak(in utf8: UnsafeBufferPointer<UInt8>, at index: Int) -> StaticString? {
        switch utf8[index] {
        case 0xC2: utf8[index + 1] == 0x85 ? "\\u0085" : nil
        case 0xE2 where utf8[index + 1] == 0x80:
            switch utf8[index + 2] {
            case 0xA8: "\\u2028"
            case 0xA9: "\\u2029"
            default: nil
            }
        default: nil
        }
    }

    /// Appends the escape of the character at `index`.
    ///
    /// - Returns: the number of bytes of the character.
    private mutating func escape(in utf8: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        if let escape = Self.lineBreak(in: utf8, at: index) {
            written.append(escape)
            return utf8[index] == 0xC2 ? 2 : 3
        }
        escape(utf8[index])
        return 1
    }

    private mutating func escape(_ byte: UInt8) {
        written.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): written.append(byte)
        case 0x08: written.append(UInt8(ascii: "b"))
        case 0x09: written.append(UInt8(ascii: "t"))
        case 0x0A: written.append(UInt8(ascii: "n"))
        case 0x0C: written.append(UInt8(ascii: "f"))
        case 0x0D: written.append(UInt8(ascii: "r"))
        default:
            written.append("u00")
            written.append(byte.hexDigits.high)
            written.append(byte.hexDigits.low)
        }
    }

    @inlinable mutating func container(_ opening: UInt8, _ closing: UInt8, _ body: (inout JSONWriter) -> Void) {
        separate()
        written.append(opening)
        needsComma = false
        body(&self)
        written.append(closing)
        needsComma = true
    }

    @inlinable mutating func separate() {
        if needsComma { written.append(UInt8(ascii: ",")) }
        needsComma = true
    }
}

/// A type that is written as one JSON value.
public protocol JSONWritable {
    func write(to json: inout JSONWriter)
}

extension String: JSONWritable {
    @inlinable public func write(to json: inout JSONWriter) { json.string(self) }
}

extension Int: JSONWritable {
    @inlinable public func write(to json: inout JSONWriter) { json.integer(self) }
}

extension Bool: JSONWritable {
    public func write(to json: inout JSONWriter) { json.raw((self ? "true" : "false").utf8) }
}

extension Double: JSONWritable {
    /// The shortest form that reads back equal; null if it is infinite or not a number, which JSON can't express.
    public func write(to json: inout JSONWriter) {
        guard isFinite else { return json.null() }
        json.raw(description.utf8)
    }
}

extension JSONValue: JSONWritable {
    /// Writes the value's text unchanged.
    public func write(to json: inout JSONWriter) { json.raw(bytes) }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    @inlinable public func write(to json: inout JSONWriter) {
        if let self { self.write(to: &json) } else { json.null() }
    }
}
