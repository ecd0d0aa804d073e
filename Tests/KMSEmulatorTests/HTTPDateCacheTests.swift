import Testing

@testable import KMSEmulator

@Suite struct HTTPDateCacheTests {
    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)])
    func `dates are those of RFC 9110`(seconds: Int64, expected: String) {
        var cache = HTTPDateCache()
        #expect(cache.text(wallClockMilliseconds: seconds * 1_000) == expected)
    }

    @Test func `milliseconds are rounded down`() {
        var cache = HTTPDateCache()
        #expect(cache.text(wallClockMilliseconds: 1_999) == "Thu, 01 Jan 1970 00:00:01 GMT")
        #expect(cache.text(wallClockMilliseconds: -1) == "Wed, 31 Dec 1969 23:59:59 GMT")
        #expect(cache.text(wallClockMilliseconds: 1_000) == "Thu, 01 Jan 1970 00:00:01 GMT")
    }
}
