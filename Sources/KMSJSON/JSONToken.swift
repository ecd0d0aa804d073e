import KMSPlatform

/// The kind of a value; its first byte determines it.
public enum JSONKind: UInt8, Sendable {
    case object, array, string, number, bool, null
}

/// One value in a text: its kind and the range of its bytes, including quotes and brackets.
public struct JSONToken: Sendable, Equatable {
    public let kind: JSONKind
    /// The offset of its first byte in the text.
    public let start: Int
    /// The offset after its last byte.
    public let end: Int
    /// For strings: whether a character is written as an escape, so that the bytes between the quotes are not the
    /// characters.
    public let hasEscapes: Bool

    init(_ kind: JSONKind, from start: Int, to end: Int, hasEscapes: Bool = false) {
        self.kind = kind
        self.start = start
        self.end = end
        self.hasEscapes = hasEscapes
    }

    /// The token of an object that the caller scanned member by member.
    public static func object(from start: Int, to end: Int) -> JSONToken {
        JSONToken(.object, from: start, to: end)
    }

    /// The range of its bytes in the text.
    public var range: Range<Int> { start..<end }

    /// For strings: the bytes between the quotes.
    public var contents: Range<Int> { (start + 1)..<(end - 1) }
}

/// One member of an object: the name (a string) and the value.
public struct JSONMemberToken: Sendable, Equatable {
    public let name: JSONToken
    public let value: JSONToken
}

extension JSONToken {
    /// A string's characters as UTF-8, with escapes decoded.
    ///
    /// - Parameter bytes: the text that the token was scanned from.
    public func decoded(from bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        let raw = UnsafeBufferPointer(rebasing: bytes[contents])
        return hasEscapes ? JSONString.decode(raw) : Array(raw)
    }

    /// A string's characters.
    ///
    /// - Parameter bytes: the text that the token was scanned from.
    public func string(from bytes: UnsafeBufferPointer<UInt8>) -> String {
        let raw = UnsafeBufferPointer(rebasing: bytes[contents])
        return hasEscapes
            ? String(decoding: JSONString.decode(raw), as: UTF8.self) : String(decoding: raw, as: UTF8.self)
    }

    /// Whether a string, with escapes decoded, equals this ASCII text.
    @inlinable public func isString(_ expected: StaticString, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        // Inlinable, so that a different length is detected without a call.
        guard hasEscapes || end &- start == expected.utf8CodeUnitCount &+ 2, case .string = kind else { return false }
        return hasCharacters(expected, in: bytes)
    }

    @usableFromInline func hasCharacters(_ expected: StaticString, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if hasEscapes { return decoded(from: bytes).elementsEqual(expected.bytes) }
        return expected.bytes.hasSameBytes(as: UnsafeBufferPointer(rebasing: bytes[contents]))
    }
}

/// The member names of an object, to find duplicates. Allocates nothing for small objects with plain names, and takes
/// linear time for large ones.
public struct JSONNameSet {
    /// Up to this many names are compared pairwise, which is faster than hashing.
    private static let smallCount = 12

    private var ranges = InlineArray<12, Range<Int>>(repeating: 0..<0)
    private var count = 0
    /// All names, with escapes decoded, once there are many or one has an escape.
    private var decoded: Set<[UInt8]>?

    public init() {}

    /// Adds a name; false if it is a duplicate. Names are compared after decoding (RFC 8259, section 8.3).
    public mutating func insert(_ name: JSONToken, of bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if decoded == nil {
            if !name.hasEscapes, count < Self.smallCount {
                for index in 0..<count where Self.equal(ranges[index], name.contents, in: bytes) { return false }
                ranges[count] = name.contents
                count += 1
                return true
            }
            decoded = Set((0..<count).map { Array(bytes[ranges[$0]]) })
        }
        return decoded?.insert(name.decoded(from: bytes)).inserted ?? true
    }

    private static func equal(
        _ left: Range<Int>, _ right: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        UnsafeBufferPointer(rebasing: bytes[left]).hasSameBytes(as: UnsafeBufferPointer(rebasing: bytes[right]))
    }
}
