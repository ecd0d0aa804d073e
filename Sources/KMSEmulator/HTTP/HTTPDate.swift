import Platform

/// The `Date` header (RFC 9110, section 5.6.7: IMF-fixdate).
enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970, at least −62,135,596,800 (the year 1) and below 253,402,300,800 (the year 10000).
    static func text(secondsSince1970 seconds: Int64) -> String {
        let time = CalendarTime(secondsSince1970: seconds)
        let day = "\(days[Int(time.parts.tm_wday)]), \(time.day) \(months[Int(time.parts.tm_mon)])"
        return "\(day) \(time.year) \(time.clock) GMT"
    }
}

/// Dates of RFC 3339, which are ISO 8601, in UTC.
enum ISODate {
    /// `2026-11-26T09:30:00Z`.
    static func text(secondsSince1970 seconds: Int64) -> String { "\(body(seconds))Z" }

    /// `2026-11-26T09:30:00.123Z`.
    static func text(millisecondsSince1970 milliseconds: Int64) -> String {
        // Rounded down, before 1970 as well.
        let fraction = (milliseconds % 1_000 + 1_000) % 1_000
        return "\(body((milliseconds - fraction) / 1_000)).\(CalendarTime.digits(Int32(fraction), 3))Z"
    }

    private static func body(_ seconds: Int64) -> String {
        let time = CalendarTime(secondsSince1970: seconds)
        return "\(time.year)-\(CalendarTime.digits(time.parts.tm_mon + 1, 2))-\(time.day)T\(time.clock)"
    }
}

/// A second of UTC as a calendar and a clock show it.
private struct CalendarTime {
    let parts: tm

    /// - Parameter seconds: since 1970; before the year 1 and after the year 9999 the nearest that there is.
    init(secondsSince1970 seconds: Int64) {
        var seconds = time_t(min(max(seconds, -62_135_596_800), 253_402_300_799))
        var time = tm()
        gmtime_r(&seconds, &time)
        parts = time
    }

    var year: String { Self.digits(parts.tm_year + 1900, 4) }
    var day: String { Self.digits(parts.tm_mday, 2) }
    var clock: String {
        "\(Self.digits(parts.tm_hour, 2)):\(Self.digits(parts.tm_min, 2)):\(Self.digits(parts.tm_sec, 2))"
    }

    static func digits(_ number: Int32, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}

/// The text of the current second, and of the last few others that a skewed clock asked for.
struct HTTPDateCache {
    private var texts: [Int64: String] = [:]

    mutating func text(wallClockMilliseconds: Int64) -> String {
        // Rounded down, before 1970 as well.
        let seconds =
            wallClockMilliseconds >= 0
            ? wallClockMilliseconds / 1_000 : (wallClockMilliseconds - 999) / 1_000
        if let text = texts[seconds] { return text }
        if texts.count >= 8 { texts = [:] }
        let text = HTTPDate.text(secondsSince1970: seconds)
        texts[seconds] = text
        return text
    }
}
