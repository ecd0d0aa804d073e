import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct SafeShareTests {
    private let start = Instant(nanoseconds: 50_000_000_000)

    /// Slots granted in each of the last seconds, the configured rate, and the share in requests per 1,000 s.
    static let shares: [([Int], Int, Int64)] = [
        // Three quarters of the mean of ten seconds.
        ([300, 300, 300, 300, 300, 300, 300, 300, 300, 300], 300, 225_000),
        ([100], 300, 7_500),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 100], 300, 7_500),
        // The first of these is out of the window.
        ([5_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100], 300, 7_500),
        // At least one per second, at most the configured rate.
        ([1], 300, 1_000), ([0], 300, 1_000), ([1], 1, 1_000),
        ([400, 400, 400, 400, 400, 400, 400, 400, 400, 400], 100, 100_000),
        // Never had the engine: a tenth.
        ([], 300, 30_000), ([], 5, 1_000), ([], 1, 1_000),
    ]

    @Test(arguments: shares)
    func `is three quarters of what was granted`(granted: [Int], configured: Int, expected: Int64) {
        var share = SafeShare(Rate(perSecond: configured))
        var now = start
        for (second, count) in granted.enumerated() {
            now = start + .seconds(second)
            share.granted(count, now: now)
        }
        share.begin(now: now, random: 0, hadEngine: !granted.isEmpty)
        #expect(share.current(now: now)?.perThousandSeconds == expected)
    }

    @Test func `a key that is new when the engine is gone has one request per second`() {
        var share = SafeShare(Rate(perSecond: 300))
        share.begin(now: start, random: 0, hadEngine: true)
        #expect(share.current(now: start)?.perThousandSeconds == 1_000)
    }

    @Test func `is idle when nothing of the last ten seconds matters`() {
        var share = SafeShare(Rate(perSecond: 300))
        #expect(share.isIdle(now: start))
        share.requested(now: start)
        #expect(!share.isIdle(now: start + .seconds(10)))
        #expect(share.isIdle(now: start + .seconds(11)))
        share.granted(1, now: start)
        #expect(!share.isIdle(now: start + .seconds(10)))
        #expect(share.isIdle(now: start + .seconds(11)))
    }

    @Test func `does not limit while the engine can be asked`() {
        var share = SafeShare(Rate(perSecond: 300))
        #expect(!share.isDegraded)
        #expect(share.admission(after: 1_000, now: start) == start)
        share.begin(now: start, random: 0, hadEngine: false)
        #expect(share.isDegraded)
        share.end(now: start)
        #expect(share.admission(after: 1_000, now: start) == start)
    }

    /// A connection to an engine that accepts it and does not answer is no time in which little was granted.
    @Test func `lasts until the engine answers, or ten seconds`() {
        var share = SafeShare(Rate(perSecond: 300))
        share.granted(1_000, now: start)
        for second in 0..<30 {
            let now = start + .seconds(second)
            share.begin(now: now, random: 0, hadEngine: true)
            if second == 0 { share.throttled(now: now) }
            #expect(share.current(now: now)?.perThousandSeconds ?? 0 >= 37_500)
            share.end(now: now + .milliseconds(900))
            #expect(share.current(now: now + .milliseconds(900)) == nil)
        }
        let end = start + .milliseconds(29_900)
        var (answered, late) = (share, share)
        // An answer without a slot is one, too.
        answered.granted(0, now: end)
        answered.begin(now: end, random: 0, hadEngine: true)
        #expect(answered.current(now: end)?.perThousandSeconds == 1_000)
        late.begin(now: end + .seconds(10), random: 0, hadEngine: true)
        #expect(late.current(now: end + .seconds(10))?.perThousandSeconds == 1_000)
    }

    @Test func `a process without a request in the last second goes at once, and on after a part of an interval`() {
        var share = SafeShare(Rate(perSecond: 100))
        share.begin(now: start, random: 0.9, hadEngine: false)
        #expect(share.current(now: start)?.perThousandSeconds == 10_000)
        #expect(share.admission(after: 0, now: start) == start)
        #expect(share.admission(after: 2, now: start) == start + .milliseconds(200))
        share.take(now: start, random: 0.25)
        #expect(share.admission(after: 0, now: start) == start + .milliseconds(25))
        #expect(share.admission(after: 1, now: start) == start + .milliseconds(125))
        share.take(now: start + .milliseconds(25), random: 0.25)
        #expect(share.admission(after: 0, now: start + .milliseconds(25)) == start + .milliseconds(125))
        // After a second and an interval without one, again.
        let later = start + .milliseconds(1_125)
        #expect(share.admission(after: 0, now: later + .nanoseconds(-1)) == later + .nanoseconds(-1))
        share.take(now: later, random: 0.5)
        #expect(share.admission(after: 0, now: later) == later + .milliseconds(50))
    }

    @Test func `a process that was busy when the engine went waits a part of an interval`() {
        var share = SafeShare(Rate(perSecond: 100))
        share.granted(1_000, now: start)
        share.requested(now: start)
        share.begin(now: start, random: 0.5, hadEngine: true)
        #expect(share.current(now: start)?.perThousandSeconds == 75_000)
        #expect(share.admission(after: 0, now: start) == start + .nanoseconds(6_666_667))
        // It is degraded already.
        share.begin(now: start + .milliseconds(5), random: 0, hadEngine: true)
        #expect(share.admission(after: 0, now: start) == start + .nanoseconds(6_666_667))
    }

    @Test func `is halved when the service throttles`() {
        var share = SafeShare(Rate(perSecond: 1_000))
        share.begin(now: start, random: 0, hadEngine: false)
        share.throttled(now: start)
        #expect(share.current(now: start)?.perThousandSeconds == 50_000)
    }

    @Test(arguments: [(200, 199...202), (5, 10...11)])
    func `a process never exceeds its share by more than one request`(rate: Int, expected: ClosedRange<Int>) {
        var share = SafeShare(Rate(perSecond: rate))
        share.begin(now: start, random: 0.3, hadEngine: false)
        var count = 0
        for step in 0..<10_000 {
            let now = start + .milliseconds(step)
            if share.admission(after: 0, now: now) <= now {
                share.take(now: now, random: 0.3)
                count += 1
            }
        }
        #expect(expected.contains(count))
    }
}
