/// A date and a time of day in the Gregorian calendar, as texts give them, made into a count of milliseconds.
struct CivilTime {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    /// 60 is a leap second, which counts as the one after it.
    let second: Int

    /// Nil unless the date exists and the time is one of the 24 hours.
    init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        guard (0...9_999).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, of: year), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// Since 1970-01-01T00:00:00Z, if the time is one of UTC.
    var milliseconds: Int64 {
        Int64(((daysSince1970 * 24 + hour) * 60 + minute) * 60 + second) * 1_000
    }

    /// Days are counted from a first of March, so that the leap day is the last of its year; 400 years are 146,097
    /// days, and 719,468 of them lie between 0000-03-01 and 1970-01-01.
    private var daysSince1970: Int {
        let year = month > 2 ? self.year : self.year - 1
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
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
}
