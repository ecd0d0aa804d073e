import Testing

@testable import NCloudKMS

@Suite struct HTTPDateTests {
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
}

@Suite struct RetryAfterTests {
    static let headers: [(String, Duration?)] = [
        ("0", .zero), ("1", .seconds(1)), (" 120\t", .seconds(120)), ("007", .seconds(7)),
        ("86400", .seconds(86_400)), ("86401", nil), ("99999999999", nil), ("99999999999999999999999", nil),
        ("-5", nil), ("1.5", nil), ("+5", nil), ("5 s", nil), ("soon", nil), ("", nil), (" ", nil), ("٣", nil),
        // 22:13:20 is now.
        ("Tue, 14 Nov 2023 22:13:25 GMT", .seconds(5)), ("Tue, 14 Nov 2023 22:13:20 GMT", .zero),
        ("Tue, 14 Nov 2023 22:13:19 GMT", nil), ("Wed, 15 Nov 2023 22:13:20 GMT", .seconds(86_400)),
        ("Wed, 15 Nov 2023 22:13:21 GMT", nil), ("Tuesday, 14-Nov-23 22:13:22 GMT", .seconds(2)),
        ("Tue Nov 14 22:13:23 2023", .seconds(3)), ("Fri, 31 Dec 9999 23:59:59 GMT", nil),
    ]

    @Test(arguments: headers)
    func `seconds and dates are read, and what makes no sense is ignored`(header: String, expected: Duration?) {
        #expect(RetryAfter.delay(of: header, now: 1_700_000_000_000) == expected)
    }
}
