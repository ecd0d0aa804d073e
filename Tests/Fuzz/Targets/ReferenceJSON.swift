/// JSON (RFC 8259), read in the simplest way: character by character, into a tree. It shares nothing with `KMSJSON`, so
/// that the two can be compared.
indirect enum ReferenceJSON {
    case null
    case bool(Bool)
    /// As written.
    case number(String)
    case string(String)
    case array([ReferenceJSON])
    case object([(name: String, value: ReferenceJSON)])

    /// Nil if it is not JSON, or deeper than `maximumDepth`.
    init?(_ bytes: [UInt8], maximumDepth: Int = 128) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var reader = ReferenceReader(rest: Array(text.unicodeScalars)[...], maximumDepth: maximumDepth)
        guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
        self = value
    }

    /// The last member of this name.
    subscript(name: String) -> ReferenceJSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { areSame($0.name, name) }?.value
    }

    var string: String? { if case .string(let text) = self { text } else { nil } }

    var isObject: Bool { if case .object = self { true } else { false } }

    var hasDuplicateName: Bool {
        guard case .object(let members) = self else { return false }
        return Set(members.map { Array($0.name.utf8) }).count < members.count
    }

    /// The value of a number that is whole and fits into an `Int`.
    var integer: Int? {
        guard case .number(let text) = self else { return nil }
        let parts = text.split(whereSeparator: { $0 == "e" || $0 == "E" })
        let isNegative = text.hasPrefix("-")
        let mantissa = parts[0].drop { $0 == "-" }.split(separator: ".")
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var digits = Substring((mantissa[0] + fraction).drop { $0 == "0" })
        if digits.isEmpty { return 0 }
        // Beyond these bounds, an exponent is far from what an `Int` can be.
        let bound = 1_000_000
        let far = parts.count > 1 && parts[1].hasPrefix("-") ? -bound : bound
        let written = parts.count > 1 ? Int(parts[1]) ?? far : 0
        var exponent = min(max(written, -bound), bound) - fraction.count
        while digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        guard exponent >= 0, digits.count + min(exponent, 20) <= 19 else { return nil }
        return Int((isNegative ? "-" : "") + digits + String(repeating: "0", count: exponent))
    }
}

private struct ReferenceReader {
    var rest: ArraySlice<Unicode.Scalar>
    let maximumDepth: Int

    private mutating func skipSpace() { rest = rest.drop { " \t\r\n".unicodeScalars.contains($0) } }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// Also skips the white space around it.
    mutating func value(depth: Int) -> ReferenceJSON? {
        skipSpace()
        defer { skipSpace() }
        switch rest.first {
        case "n": return literal("null") ? .null : nil
        case "t": return literal("true") ? .bool(true) : nil
        case "f": return literal("false") ? .bool(false) : nil
        case "\"": return string().map { .string($0) }
        case "[": return depth < maximumDepth ? array(depth: depth + 1) : nil
        case "{": return depth < maximumDepth ? object(depth: depth + 1) : nil
        default: return number().map { .number($0) }
        }
    }

    private mutating func literal(_ word: String) -> Bool { word.unicodeScalars.allSatisfy { take($0) } }

    private mutating func array(depth: Int) -> ReferenceJSON? {
        var elements: [ReferenceJSON] = []
        rest.removeFirst()
        skipSpace()
        if take("]") { return .array([]) }
        repeat {
            guard let element = value(depth: depth) else { return nil }
            elements.append(element)
        } while take(",")
        return take("]") ? .array(elements) : nil
    }

    private mutating func object(depth: Int) -> ReferenceJSON? {
        var members: [(name: String, value: ReferenceJSON)] = []
        rest.removeFirst()
        skipSpace()
        if take("}") { return .object([]) }
        repeat {
            skipSpace()
            guard let name = string() else { return nil }
            skipSpace()
            guard take(":"), let value = value(depth: depth) else { return nil }
            members.append((name, value))
        } while take(",")
        return take("}") ? .object(members) : nil
    }

    private mutating func number() -> String? {
        let start = rest
        _ = take("-")
        if !take("0") { guard digits() else { return nil } }
        if take(".") { guard digits() else { return nil } }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return nil }
        }
        return String(String.UnicodeScalarView(start[..<rest.startIndex]))
    }

    private mutating func digits() -> Bool {
        let count = rest.count
        rest = rest.drop { ("0"..."9").contains($0) }
        return rest.count < count
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        // Escapes are halves of surrogate pairs; a half without the other is found at the end.
        var units: [UInt16] = []
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(validating: units, as: UTF16.self)
            case "\\":
                guard let unit = escape() else { return nil }
                units.append(unit)
            case "\0"..."\u{1F}": return nil
            default: units.append(contentsOf: UTF16.encode(scalar) ?? .init())
            }
        }
        return nil
    }

    private mutating func escape() -> UInt16? {
        switch rest.popFirst() {
        case "\"": 0x22
        case "\\": 0x5C
        case "/": 0x2F
        case "b": 8
        case "f": 12
        case "n": 10
        case "r": 13
        case "t": 9
        case "u": codeUnit()
        default: nil
        }
    }

    /// Four hexadecimal digits.
    private mutating func codeUnit() -> UInt16? {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = rest.popFirst() else { return nil }
            switch digit {
            case "0"..."9": unit = unit << 4 | (digit.value - 0x30)
            case "A"..."F": unit = unit << 4 | (digit.value - 0x41 + 10)
            case "a"..."f": unit = unit << 4 | (digit.value - 0x61 + 10)
            default: return nil
            }
        }
        return UInt16(unit)
    }
}
