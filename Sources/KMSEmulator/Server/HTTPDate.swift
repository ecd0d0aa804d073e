import Platform

/// The `Date` header (RFC 9110, section 5.6.7: IMF-fixdate).
enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970, at least −62,135,596,800 (the year 1) and below 253,402,300,800 (the year 10000).
    static func text(secondsSince1970 seconds: Int64) -> String {
        var seconds = time_t(min(max(seconds, -62_135_596_800), 253_402_300_799))
        var time = tm()
        gmtime_r(&seconds, &time)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = "\(days[Int(time.tm_wday)]), \(digits(time.tm_mday, 2)) \(months[Int(time.tm_mon)])"
        let clock = "\(digits(time.tm_hour, 2)):\(digits(time.tm_min, 2)):\(digits(time.tm_sec, 2))"
        return "\(day) \(digits(time.tm_year + 1900, 4)) \(clock) GMT"
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
