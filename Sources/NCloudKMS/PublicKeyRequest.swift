import KMSJSON
import KMSPlatform

/// A request for the operation Get Public Key.
package struct PublicKeyRequest: Hashable, Sendable {
    package let keyTag: KeyTag

    /// Nil means the latest.
    package let version: KeyVersion?

    package init(keyTag: KeyTag, version: KeyVersion?) {
        self.keyTag = keyTag
        self.version = version
    }

    private static let emptyBody = Array("{}".utf8)

    package static let method = "POST"

    /// The request target: the part of the URL after the endpoint, and the part of the request that is signed.
    package var target: String { "/kms/v1/keys/\(keyTag.text)/get-pub-key" }

    /// The JSON body; an empty object when there is no version.
    package var body: [UInt8] {
        guard let version else { return Self.emptyBody }
        var json = JSONWriter()
        json.object { object in
            object.member("keyVersion", version.number)
        }
        return json.bytes
    }
}

/// Identifies a key. The service derives it from the key's name, and it is not confidential.
///
/// 1–256 of `A–Z a–z 0–9 . _ ~ -`, the unreserved characters of RFC 3986, section 2.3, so it needs no escaping in a
/// path; but not `.` or `..`, which have a special meaning in paths (`protocol/`, `getPublicKey`).
public struct KeyTag: Hashable, Sendable, CustomStringConvertible {
    /// The service's sample tags have 52 characters. Five times as many leave room, and keep cache keys small.
    public static let maximumLength = 256

    /// The tag as the service writes it.
    public let text: String

    /// Checks a tag. This type has no literals, because a malformed literal could only trap.
    ///
    /// - Throws: `InvalidValue` named `keyTag`.
    public init(_ text: String) throws(InvalidValue) {
        let utf8 = text.utf8
        guard !utf8.isEmpty else { throw InvalidValue("keyTag", "must not be empty") }
        guard utf8.count <= Self.maximumLength else {
            throw InvalidValue("keyTag", "must have at most \(Self.maximumLength) characters")
        }
        guard text.hasOnly(Self.isUnreserved) else {
            throw InvalidValue("keyTag", "may contain only the characters A-Z a-z 0-9 . _ ~ -")
        }
        guard text != ".", text != ".." else { throw InvalidValue("keyTag", "must not be \"\(text)\"") }
        self.text = text
    }

    /// The tag itself.
    public var description: String { text }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "-"): true
        default: byte.isASCIILetterOrDigit
        }
    }
}

/// One version of a key: 1–100 (Get Public Key, API 2.0).
public struct KeyVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The versions that a key can have.
    public static let range = 1...100

    /// 1–100.
    public let number: Int

    /// Checks a number.
    ///
    /// - Throws: `InvalidValue` named `keyVersion`.
    public init(_ number: Int) throws(InvalidValue) {
        guard Self.range.contains(number) else {
            throw InvalidValue("keyVersion", "must be from \(Self.range.lowerBound) to \(Self.range.upperBound)")
        }
        self.number = number
    }

    /// A version in decimal as the service writes it: digits only, without leading zeros. Nil for any other text.
    package init?(digits: some StringProtocol) {
        guard let number = Int(digits), String(number) == digits, Self.range.contains(number) else { return nil }
        self.number = number
    }

    /// Whether the left version is the older one.
    public static func < (left: KeyVersion, right: KeyVersion) -> Bool { left.number < right.number }

    /// The number in decimal.
    public var description: String { String(number) }
}
