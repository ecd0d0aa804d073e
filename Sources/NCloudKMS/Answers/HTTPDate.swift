import KMSPlatform

/// A date in an HTTP header (RFC 9110, section 5.6.7): an IMF-fixdate, or one of the two obsolete forms.
enum HTTPDate {
    /// Milliseconds since 1970-01-01T00:00:00Z; nil for any other text.
    ///
    /// The day of the week must be valid, but need not match the date.
    ///
    /// - Parameter now: milliseconds since 1970-01-01T00:00:00Z. A two-digit year means the past if the date would
    ///   otherwise be more than 50 years ahead.
    static func milliseconds(of text: String, now: Int64) -> Int64? {
        DateScanner.read(text, fixdate) ?? DateScanner.read(text) { rfc850Date(&$0, now: now) }
            ?? DateScanner.read(text, asctimeDate)
    }

    private static let longDays: [StaticString] = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    private static func fixdate(_ scanner: inout DateScanner) -> Int64? {
        guard scanner.oneOf(CivilTime.dayNames) != nil, scanner.literal(", "), let day = scanner.digits(2),
            scanner.literal(" "),
            let month = scanner.oneOf(CivilTime.monthNames), scanner.literal(" "), let year = scanner.digits(4),
            scanner.literal(" "), let time = scanner.timeOfDay(), scanner.literal(" GMT")
        else { return nil }
        return milliseconds(year, month, day, time)
    }

    /// `Sunday, 06-Nov-94 08:49:37 GMT`
    private static func rfc850Date(_ scanner: inout DateScanner, now: Int64) -> Int64? {
        guard scanner.oneOf(longDays) != nil, scanner.literal(", "), let day = scanner.digits(2), scanner.literal("-"),
            let month = scanner.oneOf(CivilTime.monthNames), scanner.literal("-"), let year = scanner.digits(2),
            scanner.literal(" "), let time = scanner.timeOfDay(), scanner.literal(" GMT")
        else { return nil }
        // The latest century in which the date is at most 50 years ahead.
        let fiftyYears: Int64 = 50 * 31_556_952_000
        for century in stride(from: 9_900, through: 0, by: -100) {
            if let date = milliseconds(century + year, month, day, time), date <= now + fiftyYears { return date }
        }
        return nil
    }

    /// `Sun Nov  6 08:49:37 1994`
    private static func asctimeDate(_ scanner: inout DateScanner) -> Int64? {
        guard scanner.oneOf(CivilTime.dayNames) != nil, scanner.literal(" "),
            let month = scanner.oneOf(CivilTime.monthNames),
            scanner.literal(" "), let day = scanner.literal(" ") ? scanner.digits(1) : scanner.digits(2),
            scanner.literal(" "), let time = scanner.timeOfDay(), scanner.literal(" "), let year = scanner.digits(4)
        else { return nil }
        return milliseconds(year, month, day, time)
    }

    private static func milliseconds(
        _ year: Int, _ monthIndex: Int, _ day: Int, _ time: (hour: Int, minute: Int, second: Int)
    ) -> Int64? {
        CivilTime(
            year: year, month: monthIndex + 1, day: day, hour: time.hour, minute: time.minute, second: time.second)?
            .milliseconds
    }
}

/// How long a server asks to wait (RFC 9110, section 10.2.3). Parsed here because libcurl returns a negative number for
/// a past date and zero for garbage, and has no upper bound.
enum RetryAfter {
    /// A longer wait is an error of the server or of its clock.
    static let maximum = Duration.seconds(24 * 60 * 60)

    /// The wait that a header requests: whole seconds, or until an HTTP date. Nil if it can't be parsed, is negative,
    /// or is more than a day; then it is ignored.
    ///
    /// - Parameter now: milliseconds since 1970-01-01T00:00:00Z, by the server's clock if its `Date` is known.
    static func delay(of header: String, now: Int64) -> Duration? {
        let text = header.trimmingASCIIWhitespace()
        let delay: Duration
        if !text.isEmpty, text.hasOnly(\.isASCIIDigit) {
            guard let seconds = Int64(text) else { return nil }
            delay = .seconds(seconds)
        } else {
            guard let date = HTTPDate.milliseconds(of: text, now: now) else { return nil }
            delay = .milliseconds(date - now)
        }
        return (Duration.zero...maximum).contains(delay) ? delay : nil
    }
}
