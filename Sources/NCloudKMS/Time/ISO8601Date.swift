/// A date and time of day as ISO 8601 and RFC 3339 write them: `2026-01-31T09:30:00Z`, a fraction, any offset.
package enum ISO8601Date {
    /// Milliseconds since 1970-01-01T00:00:00Z, a finer fraction cut off; nil when the text is no such date.
    package static func milliseconds(of text: some StringProtocol) -> Int64? {
        var scanner = DateScanner(text)
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
        guard let offset = offsetMinutes(&scanner), scanner.isAtEnd else { return nil }
        let date = CivilTime(
            year: year, month: month, day: day, hour: time.hour, minute: time.minute, second: time.second)
        return date.map { $0.milliseconds + fraction - offset * 60_000 }
    }

    /// `Z`, `+09:00`, `+0900` or `+09`; a date without one could be any of 26 hours, so it is refused.
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
