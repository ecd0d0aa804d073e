import Testing

@testable import NCloudKMS

@Suite struct DateTests {
    static let now: Int64 = 1_700_000_000_000

    static let dates: [(String, Int64?)] = [
        // RFC 9110, section 5.6.7: one moment in all three forms.
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000),
        ("Sun Nov  6 08:49:37 1994", 784_111_777_000), ("Wed Nov 16 08:49:37 1994", 784_975_777_000),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Wed, 31 Dec 1969 23:59:59 GMT", -1_000),
        ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000_000), ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400_000),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800_000), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799_000),
        ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777_000),
        // Two digits: at most 50 years ahead of 2023.
        ("Wednesday, 01-Jan-70 00:00:00 GMT", 3_155_760_000_000), ("Friday, 01-Jan-99 00:00:00 GMT", 915_148_800_000),
        ("Mon, 29 Feb 2100 00:00:00 GMT", nil), ("Thu, 29 Feb 2023 12:00:00 GMT", nil),
        ("Thu, 31 Apr 2024 12:00:00 GMT", nil), ("Thu, 00 Apr 2024 12:00:00 GMT", nil),
        ("Sun, 06 Nov 1994 24:00:00 GMT", nil), ("Sun, 06 Nov 1994 08:60:37 GMT", nil),
        ("Sun, 06 Nov 1994 08:49:61 GMT", nil), ("Sun, 6 Nov 1994 08:49:37 GMT", nil),
        ("Sun, 06 Nov 1994 08:49:37 UTC", nil), ("Sun, 06 Nov 1994 08:49:37 GMT ", nil),
        ("Sun, 06 Nov 1994 08:49:37 +0000", nil), ("sun, 06 nov 1994 08:49:37 gmt", nil),
        ("Sun, 06 Nov 94 08:49:37 GMT", nil), ("Sunday, 06-Nov-1994 08:49:37 GMT", nil),
        ("Sun Nov 6 08:49:37 1994", nil), ("", nil), ("784111777", nil), ("Sun, ٠6 Nov 1994 08:49:37 GMT", nil),
    ]

    @Test(arguments: dates)
    func `the three forms of an HTTP date are read exactly`(text: String, expected: Int64?) {
        #expect(HTTPDate.milliseconds(of: text, now: Self.now) == expected)
    }

    static let isoDates: [(String, Int64?)] = [
        ("1970-01-01T00:00:00Z", 0), ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000_500), ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123),
        ("2023-11-15T07:13:20+09:00", 1_700_000_000_000), ("2023-11-15T07:13:20+0900", 1_700_000_000_000),
        ("2023-11-15T07:13:20+09", 1_700_000_000_000), ("2023-11-14T18:43:20-03:30", 1_700_000_000_000),
        ("2023-11-14t22:13:20z", 1_700_000_000_000), ("2023-11-14 22:13:20,25Z", 1_700_000_000_250),
        ("2023-11-14T22:13:20", nil), ("2023-11-14", nil), ("2023-11-14T22:13Z", nil), ("2023-13-14T22:13:20Z", nil),
        ("2023-11-14T22:13:20.Z", nil), ("2023-11-14T22:13:20+24:00", nil), ("2023-11-14T22:13:20+09:60", nil),
        ("2023-11-14T22:13:20+09:0", nil), ("2023-11-14T22:13:20Zx", nil), ("20231114T221320Z", nil), ("", nil),
    ]

    @Test(arguments: isoDates)
    func `ISO 8601 dates are read with their offset`(text: String, expected: Int64?) {
        #expect(ISO8601Date.milliseconds(of: text) == expected)
    }

    @Test func `every day of 800 years follows the one before`() throws {
        var expected: Int64 = -11_676_096_000_000  // 1600-01-01
        for year in 1_600..<2_400 {
            for month in 1...12 {
                for day in 1...31 {
                    let date = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
                    guard let date else { continue }
                    try #require(date.milliseconds == expected)
                    expected += 86_400_000
                }
            }
        }
        #expect(expected == 13_569_465_600_000)  // 2400-01-01
    }
}
