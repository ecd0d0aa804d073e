/// One version of a key: 1–100 (Get Public Key, API 2.0).
public struct KeyVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let range = 1...100

    public let number: Int

    /// - Throws: `InvalidValue` named `keyVersion`.
    public init(_ number: Int) throws(InvalidValue) {
        guard Self.range.contains(number) else {
            throw InvalidValue("keyVersion", "must be from \(Self.range.lowerBound) to \(Self.range.upperBound)")
        }
        self.number = number
    }

    public static func < (left: KeyVersion, right: KeyVersion) -> Bool { left.number < right.number }

    public var description: String { String(number) }
}
