/// A UTC date and time of day in the Gregorian calendar, from the year 0 to the year 9999.
package struct CivilTime: Equatable, Sendable {
    /// 0 to 9999.
    package let year: Int
    /// 1 to 12.
    package let month: Int
    /// 1 to 31.
    package let day: Int
    /// 0 to 23.
    package let hour: Int
    /// 0 to 59.
    package let minute: Int
    /// 60 is a leap second; it counts as the second after it.
    package let second: Int
    /// 0 to 999.
    package let millisecond: Int

    /// Nil unless the date and the time of day exist.
    package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int = 0) {
        guard (0...9_999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, of: year), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (0...999).contains(millisecond)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.millisecond = millisecond
    }

    /// - Parameter milliseconds: since 1970-01-01T00:00:00Z; clamped to the years 0 to 9999.
    package init(milliseconds: Int64) {
        let milliseconds = min(max(milliseconds, Self.range.lowerBound), Self.range.upperBound)
        let (day, time) = Self.floor(Int(milliseconds), by: 86_400_000)
        // The inverse of `daysSince1970`.
        let (era, dayOfEra) = Self.floor(day + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = time / 3_600_000
        minute = time / 60_000 % 60
        second = time / 1_000 % 60
        millisecond = time % 1_000
    }

    /// - Parameter seconds: since 1970-01-01T00:00:00Z; clamped to the years 0 to 9999.
    package init(seconds: Int64) {
        self.init(milliseconds: min(max(seconds, Self.range.lowerBound / 1_000), Self.range.upperBound / 1_000) * 1_000)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    package var milliseconds: Int64 {
        Int64((((daysSince1970 * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + millisecond)
    }

    /// 0 for a Sunday, 6 for a Saturday.
    package var weekday: Int {
        // 1970-01-01 was a Thursday.
        Self.floor(daysSince1970 + 4, by: 7).remainder
    }

    /// `2026-11-26T09:30:00.123Z` (RFC 3339).
    package var rfc3339: String {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        append(year, 4, to: &text, then: "-")
        append(month, 2, to: &text, then: "-")
        append(day, 2, to: &text, then: "T")
        appendTimeOfDay(to: &text)
        append(millisecond, 3, to: &text, before: ".", then: "Z")
        return String(decoding: text, as: UTF8.self)
    }

    /// `Thu, 26 Nov 2026 09:30:00 GMT`: the `IMF-fixdate` of HTTP (RFC 9110, section 5.6.7).
    package var httpDate: String {
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(Self.dayNames[weekday])
        append(day, 2, to: &text, before: ", ", then: " ")
        text.append(Self.monthNames[month - 1])
        append(year, 4, to: &text, before: " ", then: " ")
        appendTimeOfDay(to: &text)
        text.append(" GMT")
        return String(decoding: text, as: UTF8.self)
    }

    /// As HTTP and many other protocols write them, starting with Sunday.
    package static let dayNames: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    /// As HTTP and many other protocols write them, starting with January.
    package static let monthNames: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private func appendTimeOfDay(to text: inout [UInt8]) {
        append(hour, 2, to: &text, then: ":")
        append(minute, 2, to: &text, then: ":")
        append(second, 2, to: &text)
    }

    private func append(
        _ number: Int, _ digits: Int, to text: inout [UInt8], before: StaticString = "", then after: StaticString = ""
    ) {
        text.append(before)
        text.append(decimal: number, minimumDigits: digits)
        text.append(after)
    }

    /// 0000-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z.
    private static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// Years start on the first of March here, so that the leap day is the last day of its year. 400 years are 146,097
    /// days; 0000-03-01 is 719,468 days before 1970-01-01.
    private var daysSince1970: Int {
        let (era, yearOfEra) = Self.floor(month > 2 ? year : year - 1, by: 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The quotient rounded down, and the remainder, which is at least 0 and less than the divisor.
    private static func floor(_ number: Int, by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Scans the parts of a date from the front of a text.
package struct DateScanner: ~Copyable {
    private let text: UnsafeBufferPointer<UInt8>
    private var offset = 0

    private init(_ text: UnsafeBufferPointer<UInt8>) {
        self.text = text
    }

    /// Scans a whole text; nil if `body` finds no date in it, or leaves something unread.
    package static func read<Date>(_ text: String, _ body: (inout DateScanner) -> Date?) -> Date? {
        var text = text
        return text.withUTF8 { bytes in
            var scanner = DateScanner(bytes)
            guard let date = body(&scanner), scanner.isAtEnd else { return nil }
            return date
        }
    }

    /// Whether the whole text has been read.
    package var isAtEnd: Bool { offset == text.count }

    /// Exactly `count` decimal digits; nil if the next characters are not that.
    package mutating func digits(_ count: Int) -> Int? {
        guard count <= text.count - offset else { return nil }
        var number = 0
        for index in offset..<(offset + count) {
            guard text[index].isASCIIDigit else { return nil }
            number = number * 10 + Int(text[index] - UInt8(ascii: "0"))
        }
        offset += count
        return number
    }

    /// - Returns: whether the next characters are exactly these; then they are consumed.
    package mutating func literal(_ literal: StaticString) -> Bool {
        guard UnsafeBufferPointer(rebasing: text[offset...]).hasPrefix(literal.bytes) else { return false }
        offset += literal.utf8CodeUnitCount
        return true
    }

    /// The index of the first of `words` that the text continues with; nil if it continues with none.
    package mutating func oneOf(_ words: [StaticString]) -> Int? {
        words.firstIndex { literal($0) }
    }

    /// `hh:mm:ss`; nil if the text continues with anything else. The ranges are not checked.
    package mutating func timeOfDay() -> (hour: Int, minute: Int, second: Int)? {
        guard let hour = digits(2), literal(":"), let minute = digits(2), literal(":"), let second = digits(2) else {
            return nil
        }
        return (hour, minute, second)
    }
}
