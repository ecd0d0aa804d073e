import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct RateLimiterTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let keyA: KeyTag
    private let keyB: KeyTag

    init() throws {
        keyA = try KeyTag("a")
        keyB = try KeyTag("b")
    }

    private func ticket(_ admission: RateLimiter.Admission) -> RateLimiter.Ticket? {
        guard case .waiting(let ticket) = admission else { return nil }
        return ticket
    }

    /// How many of `count` callers at once are let through.
    private func burst(_ limiter: inout RateLimiter, _ key: KeyTag, at now: Instant, of count: Int = 100) -> Int {
        (0..<count).count { _ in limiter.admit(key, now: now, deadline: now) == .now }
    }

    static let bursts = [(300, 30), (100, 10), (15, 1), (10, 1), (9, 1), (1, 1)]

    @Test(arguments: bursts)
    func `the burst is a tenth of the rate, at least one`(rate: Int, expected: Int) {
        var limiter = RateLimiter(ratePerKey: rate)
        #expect(burst(&limiter, keyA, at: start) == expected)
        // A second later it is whole again, and no more than whole.
        #expect(burst(&limiter, keyA, at: start + .seconds(1)) == expected)
        #expect(burst(&limiter, keyA, at: start + .seconds(100)) == expected)
    }

    @Test func `never more than the rate and one burst in a second`() {
        var limiter = RateLimiter(ratePerKey: 300)
        var times: [Int64] = []
        for step in 0..<30_000 {
            let now = start + .nanoseconds(Int64(step) * 100_000)
            if limiter.admit(keyA, now: now, deadline: now) == .now { times.append(now.nanoseconds) }
        }
        // Three seconds at 300, and the burst once.
        #expect((925...930).contains(times.count))
        for (index, time) in times.enumerated() where index + 330 < times.count {
            #expect(times[index + 330] - time >= 1_000_000_000)
        }
    }

    @Test func `waiting callers are served in order, one interval apart`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        #expect(limiter.admit(keyA, now: start, deadline: .distantFuture) == .now)
        let tickets = (0..<3).compactMap { _ in ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)) }
        try #require(tickets.count == 3)
        #expect(limiter.waiting == 3)
        for (index, ticket) in tickets.enumerated() {
            let turn = try #require(limiter.nextAdmission(now: start))
            #expect(turn == start + .milliseconds(Int64(index + 1) * 100))
            #expect(limiter.admitDue(now: turn + .nanoseconds(-1)).isEmpty)
            #expect(limiter.admitDue(now: turn) == [ticket])
        }
        #expect(limiter.waiting == 0)
        #expect(limiter.nextAdmission(now: start) == nil)
    }

    @Test func `a newcomer does not pass those who wait`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let first = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        // Its slot has come, but the timer has not.
        let later = start + .milliseconds(150)
        let second = try #require(ticket(limiter.admit(keyA, now: later, deadline: .distantFuture)))
        #expect(limiter.nextAdmission(now: later) == later)
        #expect(limiter.admitDue(now: later) == [first])
        #expect(limiter.admitDue(now: start + .milliseconds(250)) == [second])
    }

    @Test func `a late timer admits no more than the rate`() {
        var limiter = RateLimiter(ratePerKey: 10)
        for _ in 0..<6 { _ = limiter.admit(keyA, now: start, deadline: .distantFuture) }
        // Half a second was slept away: a burst of one may go at once, and the rest keeps its distance.
        let late = start + .milliseconds(500)
        #expect(limiter.admitDue(now: late).count == 1)
        #expect(limiter.nextAdmission(now: late) == late + .milliseconds(100))
    }

    @Test func `a wait that would pass the deadline is refused at once`() {
        var limiter = RateLimiter(ratePerKey: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let refused = limiter.admit(keyA, now: start, deadline: start + .milliseconds(100))
        #expect(refused == .refused(retryAfter: .milliseconds(100)))
        #expect(ticket(limiter.admit(keyA, now: start, deadline: start + .milliseconds(101))) != nil)
        let behind = limiter.admit(keyA, now: start, deadline: start + .milliseconds(150))
        #expect(behind == .refused(retryAfter: .milliseconds(200)))
        #expect(limiter.waiting == 1)
    }

    @Test func `the predicted turn is the real one, bursts included`() throws {
        var limiter = RateLimiter(ratePerKey: 300)
        for _ in 0..<30 { #expect(limiter.admit(keyA, now: start, deadline: .distantFuture) == .now) }
        // A fifth of the burst has come back: six go at once, the others one interval apart.
        let now = start + .milliseconds(20)
        var queued: [(RateLimiter.Ticket, Duration)] = []
        for _ in 0..<40 {
            switch limiter.admit(keyA, now: now, deadline: now) {
            case .now: continue
            case .refused(let retryAfter):
                let ticket = try #require(self.ticket(limiter.admit(keyA, now: now, deadline: .distantFuture)))
                queued.append((ticket, retryAfter))
            case .waiting: Issue.record("waits for a deadline that has come")
            }
        }
        #expect(queued.count == 35)
        for (ticket, wait) in queued {
            let turn = try #require(limiter.nextAdmission(now: now))
            #expect(turn == now + wait)
            #expect(limiter.admitDue(now: turn) == [ticket])
        }
    }

    @Test func `a caller that leaves gives its place back`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let first = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        let second = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        #expect(limiter.cancel(first) == true)
        #expect(limiter.cancel(first) == false)
        #expect(limiter.waiting == 1)
        #expect(limiter.admitDue(now: start + .milliseconds(100)) == [second])
        #expect(limiter.cancel(second) == false)
        #expect(limiter.waiting == 0)
    }

    @Test func `keys do not wait for each other`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        for key in [keyA, keyB] { #expect(limiter.admit(key, now: start, deadline: .distantFuture) == .now) }
        #expect(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)) != nil)
        #expect(limiter.admit(keyB, now: start + .milliseconds(100), deadline: .distantFuture) == .now)
    }

    @Test func `the process's limit holds over all keys and serves who came first`() throws {
        var limiter = RateLimiter(ratePerKey: 0, totalRate: 10)
        #expect(limiter.admit(keyA, now: start, deadline: .distantFuture) == .now)
        let keys = [keyB, keyA, keyB, keyA]
        let tickets = keys.compactMap { ticket(limiter.admit($0, now: start, deadline: .distantFuture)) }
        try #require(tickets.count == 4)
        let refused = limiter.admit(keyB, now: start, deadline: start + .milliseconds(300))
        #expect(refused == .refused(retryAfter: .milliseconds(500)))
        for (index, ticket) in tickets.enumerated() {
            #expect(limiter.admitDue(now: start + .milliseconds(Int64(index + 1) * 100)) == [ticket])
        }
    }

    @Test func `under both limits a key that must wait does not hold up another`() throws {
        var limiter = RateLimiter(ratePerKey: 2, totalRate: 100)
        #expect(limiter.admit(keyA, now: start, deadline: .distantFuture) == .now)
        let held = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        #expect(limiter.admit(keyB, now: start, deadline: .distantFuture) == .now)
        #expect(limiter.nextAdmission(now: start) == start + .milliseconds(500))
        #expect(limiter.admitDue(now: start + .milliseconds(500)) == [held])
    }

    @Test func `a newcomer of another key does not pass those who wait for the process's limit`() throws {
        var limiter = RateLimiter(ratePerKey: 100, totalRate: 10)
        #expect(limiter.admit(keyA, now: start, deadline: .distantFuture) == .now)
        let first = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        let later = start + .milliseconds(200)
        let second = try #require(ticket(limiter.admit(keyB, now: later, deadline: .distantFuture)))
        #expect(limiter.admitDue(now: later) == [first])
        #expect(limiter.admitDue(now: later + .milliseconds(100)) == [second])
    }

    @Test func `zero turns a limit off`() {
        var limiter = RateLimiter(ratePerKey: 0, totalRate: 0)
        #expect(burst(&limiter, keyA, at: start, of: 10_000) == 10_000)
        limiter.throttled(keyA, now: start)
        #expect(burst(&limiter, keyA, at: start, of: 10_000) == 10_000)
        #expect(limiter.rememberedKeys == 0)
    }

    @Test func `throttling halves the rate at most once a second, down to one`() {
        var limiter = RateLimiter(ratePerKey: 300)
        var now = start
        limiter.throttled(keyA, now: now)
        #expect(limiter.currentRate(of: keyA, now: now) == 150_000)
        limiter.throttled(keyA, now: now + .milliseconds(999))
        #expect(limiter.currentRate(of: keyA, now: now + .milliseconds(999)) == 150_000)
        for expected in [75_000, 37_500, 18_750, 9_375, 4_687, 2_343, 1_171, 1_000, 1_000] as [Int64] {
            // Just before anything comes back.
            limiter.throttled(keyA, now: now + .milliseconds(999))
            now = now + .milliseconds(1_000)
            limiter.throttled(keyA, now: now)
            #expect(limiter.currentRate(of: keyA, now: now) == expected)
        }
        #expect(limiter.currentRate(of: keyB, now: now) == 300_000)
        #expect(burst(&limiter, keyA, at: now + .milliseconds(999)) == 1)
    }

    @Test func `a tenth of the rate comes back with each second without throttling`() {
        var limiter = RateLimiter(ratePerKey: 300)
        limiter.throttled(keyA, now: start)
        let rates = (0..<7).map { limiter.currentRate(of: keyA, now: start + .seconds($0)) }
        #expect(rates == [150_000, 180_000, 210_000, 240_000, 270_000, 300_000, 300_000])
        // Throttled again after two seconds: from what had come back.
        limiter.throttled(keyA, now: start + .seconds(2))
        #expect(limiter.currentRate(of: keyA, now: start + .seconds(2)) == 105_000)
    }

    @Test func `a rate below ten comes back, too`() {
        var limiter = RateLimiter(ratePerKey: 5)
        limiter.throttled(keyA, now: start)
        #expect(limiter.currentRate(of: keyA, now: start) == 2_500)
        #expect(limiter.currentRate(of: keyA, now: start + .seconds(1)) == 3_000)
    }

    @Test func `a throttled key keeps its callers waiting longer`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let waiting = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        limiter.throttled(keyA, now: start)
        #expect(limiter.admitDue(now: start + .milliseconds(100)) == [waiting])
        let next = limiter.admit(keyA, now: start + .milliseconds(100), deadline: start + .milliseconds(200))
        #expect(next == .refused(retryAfter: .milliseconds(200)))
    }

    @Test func `keys whose state is in the past are dropped`() throws {
        var limiter = RateLimiter(ratePerKey: 300)
        let throttled = try KeyTag("throttled")
        limiter.throttled(throttled, now: start)
        for index in 0..<100_000 {
            let now = start + .microseconds(index * 10)
            #expect(limiter.admit(try KeyTag("k\(index)"), now: now, deadline: .distantFuture) == .now)
        }
        // 3.3 ms is the longest that a key of one request is remembered, and 334 come in that time.
        #expect(limiter.rememberedKeys <= 2_048)
        #expect(limiter.currentRate(of: throttled, now: start + .seconds(1)) == 180_000)
    }

    @Test func `a ticket's turn is known, and comes earlier when somebody before it leaves`() throws {
        var limiter = RateLimiter(ratePerKey: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let tickets = (0..<3).compactMap { _ in ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)) }
        try #require(tickets.count == 3)
        #expect(tickets.map { limiter.turn(of: $0, now: start) } == (1...3).map { start + .milliseconds($0 * 100) })
        limiter.cancel(tickets[0])
        #expect(limiter.turn(of: tickets[0], now: start) == nil)
        #expect(limiter.turn(of: tickets[2], now: start) == start + .milliseconds(200))
    }

    @Test func `under the process's limit a ticket's turn comes after those of callers before it`() throws {
        var limiter = RateLimiter(ratePerKey: 0, totalRate: 10)
        _ = limiter.admit(keyA, now: start, deadline: .distantFuture)
        let first = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        let second = try #require(ticket(limiter.admit(keyB, now: start, deadline: .distantFuture)))
        let third = try #require(ticket(limiter.admit(keyA, now: start, deadline: .distantFuture)))
        let turns = [first, second, third].map { limiter.turn(of: $0, now: start) }
        #expect(turns == (1...3).map { start + .milliseconds($0 * 100) })
    }
}
