import KMSPlatform

/// Scans a text and checks it against RFC 8259, without building or allocating anything.
///
/// It is stricter than the RFC in two respects, both allowed by its section 9: the nesting depth is limited, and the
/// text must be valid UTF-8 in which every surrogate is part of a pair. Numbers may have any size, because they are
/// checked but not converted.
///
/// The scanner borrows the bytes: they must stay valid and unchanged while it is used.
public struct JSONScanner {
    /// The default nesting limit: deeper than any real message, and far from exhausting the stack.
    public static let defaultMaximumDepth = 128

    /// The text to scan.
    public let bytes: UnsafeBufferPointer<UInt8>
    let maximumDepth: Int
    /// The offset of the next byte to read.
    public private(set) var offset: Int
    private var depth = 0

    public init(
        _ bytes: UnsafeBufferPointer<UInt8>, at offset: Int = 0,
        maximumDepth: Int = JSONScanner.defaultMaximumDepth
    ) {
        self.bytes = bytes
        self.offset = offset
        self.maximumDepth = maximumDepth
    }

    /// Checks a whole text: one value, with only white space around it.
    public mutating func scanText() throws(JSONError) -> JSONToken {
        skipWhiteSpace()
        guard offset < bytes.count else { throw JSONError(.emptyText, at: offset) }
        let token = try scanValue()
        try expectEnd()
        return token
    }

    /// Accepts white space up to the end of the text; throws on anything else.
    public mutating func expectEnd() throws(JSONError) {
        skipWhiteSpace()
        guard offset == bytes.count else { throw JSONError(.trailingBytes, at: offset) }
    }

    /// Checks one value at `offset`, or after white space there, and stops after it.
    public mutating func scanValue() throws(JSONError) -> JSONToken {
        skipWhiteSpace()
        let start = offset
        switch nextKind {
        case .string:
            return try scanString()
        case .object:
            try enter()
            while try nextName() != nil { _ = try scanValue() }
            return JSONToken(.object, from: start, to: offset)
        case .array:
            try enter()
            while try nextElement() != nil {}
            return JSONToken(.array, from: start, to: offset)
        case .number:
            return try scanNumber()
        case .bool:
            return try scanLiteral(bytes[offset] == UInt8(ascii: "t") ? "true" : "false", .bool)
        case .null:
            return try scanLiteral("null", .null)
        case nil:
            throw JSONError(offset < bytes.count ? .unexpectedByte : .unexpectedEnd, at: offset)
        }
    }

    // MARK: Containers, step by step

    /// Enters the object or array that starts at `offset`, or after white space there. Call `nextMember`, `nextName` or
    /// `nextElement` next, until it returns nil.
    public mutating func enter() throws(JSONError) {
        skipWhiteSpace()
        guard depth < maximumDepth else { throw JSONError(.tooDeep, at: offset) }
        depth += 1
        offset += 1
    }

    /// The next member of the innermost object; nil after its closing bracket.
    public mutating func nextMember() throws(JSONError) -> JSONMemberToken? {
        guard let name = try nextName() else { return nil }
        return JSONMemberToken(name: name, value: try scanValue())
    }

    /// The name of the next member of the innermost object; nil after its closing bracket. Read its value next:
    /// `scanValue` checks it as a whole, `enter` steps into it.
    public mutating func nextName() throws(JSONError) -> JSONToken? {
        guard try advanceInContainer(opening: UInt8(ascii: "{"), closing: UInt8(ascii: "}")) else { return nil }
        guard try peek() == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: offset) }
        let name = try scanString()
        skipWhiteSpace()
        guard try peek() == UInt8(ascii: ":") else { throw JSONError(.unexpectedByte, at: offset) }
        offset += 1
        skipWhiteSpace()
        return name
    }

    /// The kind of the value at `offset`, judged by its first byte; nil at the end, or where no value can begin.
    public var nextKind: JSONKind? {
        guard offset < bytes.count else { return nil }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: return nil
        }
    }

    /// The next element of the innermost array; nil after its closing bracket.
    public mutating func nextElement() throws(JSONError) -> JSONToken? {
        guard try advanceInContainer(opening: UInt8(ascii: "["), closing: UInt8(ascii: "]")) else { return nil }
        return try scanValue()
    }

    /// Skips the comma before the next item; false after the closing bracket.
    private mutating func advanceInContainer(opening: UInt8, closing: UInt8) throws(JSONError) -> Bool {
        // The byte before `offset` is the opening bracket if and only if no item has been read yet: `enter` stops right
        // after it, and no item ends with one.
        let isFirst = bytes[offset - 1] == opening
        skipWhiteSpace()
        let byte = try peek()
        if byte == closing {
            offset += 1
            depth -= 1
            return false
        }
        guard !isFirst else { return true }
        guard byte == UInt8(ascii: ",") else { throw JSONError(.unexpectedByte, at: offset) }
        offset += 1
        skipWhiteSpace()
        guard try peek() != closing else { throw JSONError(.unexpectedByte, at: offset) }
        return true
    }

    // MARK: Scalars

    private mutating func scanLiteral(_ literal: StaticString, _ kind: JSONKind) throws(JSONError) -> JSONToken {
        let start = offset
        for index in 0..<literal.utf8CodeUnitCount {
            guard start + index < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
            guard bytes[start + index] == literal.utf8Start[index] else {
                throw JSONError(.invalidLiteral, at: start)
            }
        }
        offset = start + literal.utf8CodeUnitCount
        return JSONToken(kind, from: start, to: offset)
    }

    /// RFC 8259, section 6: `[ minus ] int [ frac ] [ exp ]`.
    private mutating func scanNumber() throws(JSONError) -> JSONToken {
        let start = offset
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "0") {
            offset += 1
            if offset < bytes.count, bytes[offset].isASCIIDigit { throw JSONError(.invalidNumber, at: offset) }
        } else {
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try scanDigits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            try scanDigits()
        }
        return JSONToken(.number, from: start, to: offset)
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = offset
        while offset < bytes.count, bytes[offset].isASCIIDigit { offset += 1 }
        guard offset > start else {
            throw JSONError(offset < bytes.count ? .invalidNumber : .unexpectedEnd, at: offset)
        }
    }

    private mutating func scanString() throws(JSONError) -> JSONToken {
        let start = offset
        var hasEscapes = false
        offset += 1
        while true {
            offset = JSONString.endOfPlainRun(in: bytes, from: offset)
            switch try peek() {
            case UInt8(ascii: "\""):
                offset += 1
                return JSONToken(.string, from: start, to: offset, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try scanEscape()
            case 0..<0x20:
                throw JSONError(.controlCharacter, at: offset)
            default:
                offset = try JSONString.endOfMultibyteCharacter(in: bytes, from: offset)
            }
        }
    }

    private mutating func scanEscape() throws(JSONError) {
        let start = offset
        guard start + 1 < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset = start + 2
        case UInt8(ascii: "u"):
            let unit = try codeUnit(at: start)
            switch unit {
            case 0xD800..<0xDC00:
                guard start + 6 < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
                guard bytes[start + 6] == UInt8(ascii: "\\") else { throw JSONError(.loneSurrogate, at: start) }
                guard start + 7 < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
                guard bytes[start + 7] == UInt8(ascii: "u") else { throw JSONError(.loneSurrogate, at: start) }
                guard (0xDC00..<0xE000).contains(try codeUnit(at: start + 6)) else {
                    throw JSONError(.loneSurrogate, at: start)
                }
                offset = start + 12
            case 0xDC00..<0xE000:
                throw JSONError(.loneSurrogate, at: start)
            default:
                offset = start + 6
            }
        default:
            throw JSONError(.invalidEscape, at: start)
        }
    }

    /// The UTF-16 code unit of the `\uXXXX` at `start`.
    private func codeUnit(at start: Int) throws(JSONError) -> UInt16 {
        for index in (start + 2)..<(start + 6) {
            guard index < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
            guard bytes[index].hexDigitValue != nil else { throw JSONError(.invalidEscape, at: start) }
        }
        return JSONString.codeUnit(in: bytes, at: start + 2)
    }

    // MARK: Bytes

    /// Skips spaces, tabs, line feeds and carriage returns.
    public mutating func skipWhiteSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
        return bytes[offset]
    }
}

/// Why a text is not valid JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong; the raw value says it in words.
    public enum Reason: String, Sendable {
        case emptyText = "the text is empty"
        case unexpectedEnd = "the text ends inside a value"
        case unexpectedByte = "unexpected character"
        case invalidLiteral = "only true, false and null may be written without quotes"
        case invalidNumber = "invalid number"
        case controlCharacter = "a control character in a string must be escaped"
        case invalidEscape = "unknown escape in a string"
        case loneSurrogate = "unpaired surrogate in a string"
        case invalidUTF8 = "the text is not valid UTF-8"
        case tooDeep = "values are nested too deeply"
        case trailingBytes = "unexpected text after the value"
    }

    public let reason: Reason
    /// The offset in bytes of the first byte that could not be accepted.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue), at byte \(offset)" }
}
