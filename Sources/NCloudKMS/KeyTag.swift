/// What names a key: derived by the service from the key's name, and not confidential.
///
/// 1–256 of `A–Z a–z 0–9 . _ ~ -`, the unreserved characters of RFC 3986, section 2.3, so that it stands in a path as
/// it is; not `.` or `..`, which a path swallows (`protocol/`, `getPublicKey`).
public struct KeyTag: Hashable, Sendable, CustomStringConvertible {
    /// The service's samples have 52; five times as many leave room, and keep a cache key small.
    public static let maximumLength = 256

    public let text: String

    /// - Throws: `InvalidValue` named `keyTag`.
    public init(_ text: String) throws(InvalidValue) {
        let utf8 = text.utf8
        guard !utf8.isEmpty else { throw InvalidValue("keyTag", "must not be empty") }
        guard utf8.count <= Self.maximumLength else {
            throw InvalidValue("keyTag", "must have at most \(Self.maximumLength) characters")
        }
        guard utf8.allSatisfy(Self.isUnreserved) else {
            throw InvalidValue("keyTag", "may hold only the characters A-Z a-z 0-9 . _ ~ -")
        }
        guard text != ".", text != ".." else { throw InvalidValue("keyTag", "must not be \"\(text)\"") }
        self.text = text
    }

    public var description: String { text }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
