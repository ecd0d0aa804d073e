import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct LeaseTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let rate = Rate(perSecond: 300)

    private func grant(_ count: Int, first: Duration, interval: Duration = .microseconds(3_334)) -> Lease.Grant {
        Lease.Grant(count: count, first: first, interval: interval, rate: rate)
    }

    static let wanted = [(0, nil), (1, 1), (30, 30), (31, 30), (1_000, 30)]

    @Test(arguments: wanted)
    func `asks for as many slots as callers wait, at most the burst`(waiting: Int, expected: Int?) {
        var lease = Lease(rate)
        #expect(lease.question(waiting: waiting, now: start) == expected)
    }

    @Test func `asks one question at a time`() {
        var lease = Lease(rate)
        #expect(lease.question(waiting: 1, now: start) == 1)
        #expect(lease.question(waiting: 5, now: start) == nil)
        // Lost with the connection.
        lease.failed()
        #expect(lease.question(waiting: 5, now: start) == 5)
    }

    @Test func `asks for more slots when it has used the last one`() {
        var lease = Lease(rate)
        _ = lease.question(waiting: 5, now: start)
        lease.granted(grant(2, first: .zero, interval: .milliseconds(3)), now: start, random: 0)
        #expect(lease.take(now: start) == true)
        #expect(lease.question(waiting: 4, now: start) == nil)
        let last = start + .milliseconds(3)
        // Whoever has none knows that its turn does not come before the question.
        #expect((0..<3).map { lease.turn(atPlace: $0) } == [last, last, last])
        #expect(lease.nextDue(waiting: 4, isConnected: true) == last)
        #expect(lease.take(now: last) == true)
        #expect(lease.question(waiting: 3, now: last) == 3)
    }

    @Test func `a slot comes at its time, and is lost 100 ms later`() {
        var lease = Lease(rate)
        _ = lease.question(waiting: 3, now: start)
        lease.granted(grant(3, first: .milliseconds(-4), interval: .milliseconds(3)), now: start, random: 0)
        // The first two were due before the answer came: they are used at once.
        let third = start + .milliseconds(2)
        #expect((0..<4).map { lease.turn(atPlace: $0) } == [start, start, third, third])
        #expect(lease.take(now: start) == true)
        #expect(lease.nextDue(waiting: 1, isConnected: true) == start)
        #expect(lease.take(now: start) == true)
        #expect(lease.take(now: start) == false)
        #expect(lease.nextDue(waiting: 1, isConnected: true) == start + .milliseconds(2))
        #expect(lease.take(now: start + .milliseconds(2) + .nanoseconds(-1)) == false)
        let last = start + .milliseconds(2) + Lease.slotLife
        var late = lease
        #expect(lease.take(now: last + .nanoseconds(-1)) == true)
        #expect(late.take(now: last) == false)
        #expect(late.question(waiting: 1, now: last) == 1)
    }

    static let refusals: [(first: Duration, refusals: Int, random: Double, wait: Duration)] = [
        (.microseconds(1_000_200), 1, 0, .microseconds(200)),
        (.seconds(1), 1, 0.5, .milliseconds(50)),
        // Refused because no caller waits so long: there is room before the horizon.
        (.milliseconds(600), 1, 0.5, .milliseconds(50)),
        (.milliseconds(1_100), 2, 0.5, .milliseconds(200)),
        (.seconds(1), 5, 0.5, .milliseconds(800)),
        (.seconds(1), 6, 0.5, .milliseconds(1_600)),
        (.seconds(1), 40, 0.5, .milliseconds(1_600)),
    ]

    @Test(arguments: refusals)
    func `after a refusal asks again when there may be a slot, and some time later`(
        first: Duration, refusals: Int, random: Double, wait: Duration
    ) throws {
        var lease = Lease(rate)
        var now = start
        for _ in 1..<refusals {
            #expect(lease.question(waiting: 1, now: now) == 1)
            lease.granted(grant(0, first: first), now: now, random: random)
            now = try #require(lease.nextDue(waiting: 1, isConnected: true))
        }
        #expect(lease.question(waiting: 1, now: now) == 1)
        lease.granted(grant(0, first: first), now: now, random: random)
        #expect(lease.nextDue(waiting: 1, isConnected: true) == now + wait)
        // Callers that come meanwhile know that their turn does not come before; without the engine nothing is due.
        #expect(lease.turn(atPlace: 0) == now + wait)
        #expect(lease.nextDue(waiting: 1, isConnected: false) == nil)
        #expect(lease.question(waiting: 1, now: now + wait + .nanoseconds(-1)) == nil)
        #expect(lease.question(waiting: 1, now: now + wait) == 1)
        // A slot ends the series.
        lease.granted(grant(1, first: .zero), now: now + wait, random: random)
        #expect(lease.take(now: now + wait) == true)
        #expect(lease.question(waiting: 1, now: now + wait) == 1)
        lease.granted(grant(0, first: .seconds(1)), now: now + wait, random: 0.5)
        #expect(lease.question(waiting: 1, now: now + wait + .milliseconds(50)) == 1)
    }

    @Test func `nothing is asked, and nothing is due, if nobody waits after a refusal`() {
        var lease = Lease(rate)
        _ = lease.question(waiting: 1, now: start)
        lease.granted(grant(0, first: .seconds(1)), now: start, random: 0)
        #expect(lease.nextDue(waiting: 1, isConnected: true) == start)
        #expect(lease.nextDue(waiting: 0, isConnected: true) == nil)
        #expect(lease.question(waiting: 0, now: start) == nil)
    }

    @Test func `a lower rate lowers the number of slots to ask for`() {
        var lease = Lease(rate)
        _ = lease.question(waiting: 1, now: start)
        let slow = Rate(perSecond: 100)
        lease.granted(
            Lease.Grant(count: 1, first: .zero, interval: .milliseconds(10), rate: slow), now: start, random: 0)
        #expect(lease.take(now: start) == true)
        #expect(lease.question(waiting: 100, now: start) == 10)
    }

    @Test func `after an outage asks for one slot at a time, at the rate of the outage`() {
        var lease = Lease(rate)
        lease.recovered(from: Rate(perSecond: 2), next: start + .milliseconds(100), now: start)
        #expect(!lease.isIdle(now: start + .milliseconds(100)))
        var questions: [Duration] = []
        for time in stride(from: 0, to: 3_000, by: 50) {
            let now = start + .milliseconds(time)
            guard let count = lease.question(waiting: 40, now: now) else { continue }
            questions.append(.milliseconds(time))
            #expect(count == (now < start + Lease.caution ? 1 : 30))
            lease.granted(grant(count, first: .zero, interval: .zero), now: now, random: 0)
            #expect(lease.turn(atPlace: 0) == now)
            for _ in 0..<count { #expect(lease.take(now: now) == true) }
            if count == 1 {
                // Known to those who come next.
                #expect(lease.turn(atPlace: 0) == now + .milliseconds(500))
                #expect(lease.nextDue(waiting: 1, isConnected: true) == now + .milliseconds(500))
            }
        }
        let expected: [Duration] = [100, 600, 1_100, 1_600, 2_100, 2_150].map { .milliseconds($0) }
        #expect(Array(questions.prefix(6)) == expected)
    }

    @Test func `is idle without questions and slots`() {
        var lease = Lease(rate)
        #expect(lease.isIdle(now: start))
        _ = lease.question(waiting: 1, now: start)
        #expect(!lease.isIdle(now: start))
        lease.granted(grant(1, first: .milliseconds(5)), now: start, random: 0)
        #expect(!lease.isIdle(now: start))
        #expect(lease.isIdle(now: start + .milliseconds(255)))
    }

    static let replies: [(EngineReply, Int?)] = [
        (.array([.integer(1), .integer(-96_686), .integer(3_334), .integer(300_000), .integer(1)]), 1),
        (.array([.integer(0), .integer(1_000_200), .integer(3_334), .integer(300_000), .integer(1)]), 0),
        // More than was asked for, and what the script does not say.
        (.array([.integer(1), .integer(3_600_000_000), .integer(3_334), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(1), .integer(0), .integer(1_000_001), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(3), .integer(0), .integer(3_334), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(-1), .integer(0), .integer(3_334), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(1), .integer(.max), .integer(3_334), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(1), .integer(.min), .integer(3_334), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(1), .integer(0), .integer(0), .integer(300_000), .integer(1)]), nil),
        (.array([.integer(1), .integer(0), .integer(3_334), .integer(0), .integer(1)]), nil),
        (.array([.integer(1), .integer(0), .integer(3_334), .integer(.max), .integer(1)]), nil),
        (.array([.integer(1), .integer(0), .integer(3_334), .integer(300_000)]), nil),
        (.array([.integer(1), .integer(0), .integer(3_334), .bytes([51]), .integer(1)]), nil),
        (.integer(1), nil), (.null, nil), (.array([]), nil),
    ]

    @Test(arguments: replies)
    func `a reply is believed only in its form and bounds`(reply: EngineReply, count: Int?) {
        #expect(Lease.Grant(reply, asked: 2)?.count == count)
    }
}
