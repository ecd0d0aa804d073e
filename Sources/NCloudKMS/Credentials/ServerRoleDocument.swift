import KMSJSON
import KMSPlatform

/// The metadata service's answer about a role.
struct ServerRoleDocument {
    /// Why an answer contains no key pair, as the end of a sentence. Never contains text from a document with a secret.
    struct Problem: Error, Equatable {
        let text: String

        init(_ text: String) {
            self.text = text
        }
    }

    let accessKeyID: String
    let secretAccessKey: SecretBytes
    /// Milliseconds since 1970-01-01T00:00:00Z.
    let expiration: Int64

    /// - Throws: `Problem`. Other clouds have metadata services at the same address, whose answers are not NAVER's.
    init(_ body: [UInt8]) throws(Problem) {
        guard let document = try? JSONValue(parsing: body), document.kind == .object else {
            throw Problem("its answer is not a JSON object")
        }
        if let token = document["Token"], !token.isNull {
            throw Problem("its keys come with a Token, so they belong to another cloud")
        }
        if let code = document["Code"], !code.isNull, code.string != "Success" {
            let said = code.string.map { " \(ServiceText.capped($0))" } ?? ""
            throw Problem("it answered with Code\(said) instead of Success")
        }
        guard let accessKeyID = document["AccessKeyId"]?.string, let secret = document["SecretAccessKey"]?.string,
            let expiration = document["Expiration"]?.string
        else { throw Problem("its answer lacks AccessKeyId, SecretAccessKey or Expiration") }
        guard let expiration = ISO8601Date.milliseconds(of: expiration) else {
            throw Problem("the Expiration of its keys is not a valid date")
        }
        self.accessKeyID = accessKeyID
        secretAccessKey = SecretBytes(secret.utf8)
        self.expiration = expiration
    }

    /// The role's id: the first line of the answer that lists the roles.
    static func roleID(in body: [UInt8]) throws(Problem) -> String {
        let line = body.trimmingWhitespace().prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty, line.count <= maximumRoleIDLength, line.allSatisfy(isRoleByte) else {
            throw Problem("its answer names no role")
        }
        return String(decoding: line, as: UTF8.self)
    }

    /// Longer than any cloud's ids, and short enough for a path and a message.
    private static let maximumRoleIDLength = 256

    /// Characters that need no escape in a path (RFC 3986, section 3.3) and occur in names of roles.
    private static func isRoleByte(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || ".-_~+=,@:".utf8.contains(byte)
    }
}

/// A date and time of day in the format of ISO 8601 and RFC 3339: `2026-01-31T09:30:00Z`, optionally with a fraction,
/// and with any offset.
package enum ISO8601Date {
    /// Milliseconds since 1970-01-01T00:00:00Z, a finer fraction cut off; nil if the text is not such a date.
    package static func milliseconds(of text: String) -> Int64? {
        DateScanner.read(text, milliseconds)
    }

    private static func milliseconds(_ scanner: inout DateScanner) -> Int64? {
        guard let year = scanner.digits(4), scanner.literal("-"), let month = scanner.digits(2), scanner.literal("-"),
            let day = scanner.digits(2), scanner.oneOf(["T", "t", " "]) != nil, let time = scanner.timeOfDay()
        else { return nil }

        var fraction: Int64 = 0
        if scanner.oneOf([".", ","]) != nil {
            guard var digit = scanner.digits(1) else { return nil }
            var scale: Int64 = 100
            while true {
                fraction += Int64(digit) * scale
                scale /= 10
                guard let next = scanner.digits(1) else { break }
                digit = next
            }
        }
        guard let offset = offsetMinutes(&scanner) else { return nil }
        let date = CivilTime(
            year: year, month: month, day: day, hour: time.hour, minute: time.minute, second: time.second)
        return date.map { $0.milliseconds + fraction - offset * 60_000 }
    }

    /// `Z`, `+09:00`, `+0900` or `+09`. A date without an offset is ambiguous, so it is refused.
    private static func offsetMinutes(_ scanner: inout DateScanner) -> Int64? {
        if scanner.oneOf(["Z", "z"]) != nil { return 0 }
        guard let sign = scanner.oneOf(["+", "-"]), let hours = scanner.digits(2), hours < 24 else { return nil }
        var minutes = 0
        if scanner.literal(":") {
            guard let digits = scanner.digits(2) else { return nil }
            minutes = digits
        } else if !scanner.isAtEnd {
            guard let digits = scanner.digits(2) else { return nil }
            minutes = digits
        }
        guard minutes < 60 else { return nil }
        return Int64(hours * 60 + minutes) * (sign == 0 ? 1 : -1)
    }
}
