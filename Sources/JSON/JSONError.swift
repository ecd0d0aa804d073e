/// Why a text is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: String, Sendable {
        case emptyText = "the text is empty"
        case unexpectedEnd = "the text ends inside a value"
        case unexpectedByte = "unexpected character"
        case invalidLiteral = "only true, false and null may be written without quotes"
        case invalidNumber = "a number is not as JSON writes it"
        case controlCharacter = "a control character in a string must be escaped"
        case invalidEscape = "unknown escape in a string"
        case loneSurrogate = "half of a surrogate pair in a string"
        case invalidUTF8 = "the text is not valid UTF-8"
        case tooDeep = "values are nested too deeply"
        case trailingBytes = "something follows the value"
    }

    public let reason: Reason
    /// Bytes from the start of the text to the first one that could not be accepted.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue), at byte \(offset)" }
}
