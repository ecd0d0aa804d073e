import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct InstantTests {
    @Test func `a sum beyond the range is the distant future`() {
        #expect(Instant(nanoseconds: .max - 5) + .nanoseconds(6) == .distantFuture)
        #expect(Instant(nanoseconds: 1) + .seconds(Int64.max) == .distantFuture)
    }

    @Test func `a difference is a duration`() {
        #expect(Instant(nanoseconds: 1_500_000_000) - Instant(nanoseconds: 500_000_000) == .seconds(1))
        #expect(Instant(nanoseconds: 0) - Instant(nanoseconds: 7) == .nanoseconds(-7))
    }

    @Test(arguments: [
        (Duration.milliseconds(1), Int64(1_000_000)), (.seconds(-2), -2_000_000_000), (.seconds(Int64.max), Int64.max),
    ])
    func `durations are read in nanoseconds`(duration: Duration, nanoseconds: Int64) {
        #expect(duration.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        (Duration.zero, Int64(0)), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.nanoseconds(1_000_001), 2),
        (.nanoseconds(-1), 0), (.milliseconds(-2), -2),
    ])
    func `milliseconds are rounded up`(duration: Duration, milliseconds: Int64) {
        #expect(duration.millisecondsRoundedUp == milliseconds)
    }

    @Test func `the monotonic clock does not go back`() {
        let clock = SystemClock()
        let first = clock.now
        #expect(clock.now >= first)
        #expect(clock.wallClockMilliseconds > 1_700_000_000_000)
    }

    @Test func `a manual clock moves only by hand`() {
        let clock = ManualClock()
        let start = clock.now
        #expect(clock.now == start)
        clock.advance(by: .milliseconds(250))
        #expect(clock.now - start == .milliseconds(250))
        #expect(clock.wallClockMilliseconds == 1_700_000_000_250)
    }
}
