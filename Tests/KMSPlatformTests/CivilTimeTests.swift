import KMSPlatform
import Testing

@Suite struct CivilTimeTests {
    @Test func `every day of 800 years follows the one before`() throws {
        var expected: Int64 = -11_676_096_000_000  // 1600-01-01
        for year in 1_600..<2_400 {
            for month in 1...12 {
                for day in 1...31 {
                    let date = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
                    guard let date else { continue }
                    try #require(date.milliseconds == expected)
                    try #require(CivilTime(milliseconds: expected) == date)
                    expected += 86_400_000
                }
            }
        }
        #expect(expected == 13_569_465_600_000)  // 2400-01-01
    }

    @Test(
        arguments: [
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (1_709_164_800_000, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (.min, "Sat, 01 Jan 0000 00:00:00 GMT"),
        ] as [(Int64, String)])
    func `a time is written as in HTTP`(milliseconds: Int64, text: String) {
        #expect(CivilTime(milliseconds: milliseconds).httpDate == text)
    }

    @Test(
        arguments: [
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"), (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (.max, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `a time is written as in RFC 3339`(milliseconds: Int64, text: String) {
        #expect(CivilTime(milliseconds: milliseconds).rfc3339 == text)
    }

    @Test func `seconds beyond the calendar are its ends`() {
        #expect(CivilTime(seconds: .max).rfc3339 == "9999-12-31T23:59:59.000Z")
        #expect(CivilTime(seconds: .min).rfc3339 == "0000-01-01T00:00:00.000Z")
        #expect(CivilTime(seconds: 1_700_000_000).milliseconds == 1_700_000_000_000)
    }
}
