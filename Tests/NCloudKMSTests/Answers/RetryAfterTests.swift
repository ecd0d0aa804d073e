import Testing

@testable import NCloudKMS

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
