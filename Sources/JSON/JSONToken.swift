/// What a value is, told by its first byte.
public enum JSONKind: UInt8, Sendable {
    case object, array, string, number, bool, null
}

/// One value inside a text: what it is and which bytes are its own (quotes and brackets included).
public struct JSONToken: Sendable, Equatable {
    public let kind: JSONKind
    public let start: Int
    public let end: Int
    /// For strings: some character is written as an escape, so the bytes between the quotes are not the characters.
    public let hasEscapes: Bool

    init(_ kind: JSONKind, from start: Int, to end: Int, hasEscapes: Bool = false) {
        self.kind = kind
        self.start = start
        self.end = end
        self.hasEscapes = hasEscapes
    }

    /// The object that a caller of `JSONScanner` walked through member by member.
    public static func object(from start: Int, to end: Int) -> JSONToken {
        JSONToken(.object, from: start, to: end)
    }

    public var range: Range<Int> { start..<end }

    /// For strings: the bytes between the quotes.
    public var contents: Range<Int> { (start + 1)..<(end - 1) }
}

/// One member of an object: the name (a string) and the value.
public struct JSONMemberToken: Sendable, Equatable {
    public let name: JSONToken
    public let value: JSONToken
}
