import Platform
import TestSupport
import Testing

@testable import KMSEmulator
@testable import NCloudKMS

/// The acceptance of issue 4, on an injected clock: a service that throttles at 50 a second, and a thousand calls for
/// one key that are asked within five seconds.
@Suite struct ThrottlingTests {
    private static let callCount = 1_000
    private static let askedWithin = Duration.seconds(5)
    private static let servicePerSecond = 50
    /// What the service sees from then on.
    private static let settledAfter = Duration.seconds(5)
    private static let mostPerSecond = 60.0

    /// What came of a run.
    private struct Outcome {
        var failures: [RetryStop?] = []
        var sent: [Instant] = []
        var lastAnswer = Instant(nanoseconds: 0)
        var limiter: RateLimiter
    }

    /// The limiter, the retries and the quota of a client against a throttle; the fetches of a key's versions are
    /// shared as the engine shares them.
    ///
    /// - Parameter versions: how many different ones the calls ask for, one after the other.
    private func run(versions: Int, seed: UInt64) throws -> Outcome {
        let tag = try KeyTag("k")
        var generator = SeededGenerator(seed: seed)
        var outcome = Outcome(limiter: RateLimiter())
        var quota = RetryQuota(now: Instant(nanoseconds: 0))
        var throttle = Throttle(requestsPerSecond: Self.servicePerSecond)
        var table = FetchTable<Int, Int>()
        var progress: [FetchTable<Int, Int>.FetchID: RetryProgress] = [:]
        var tickets: [RateLimiter.Ticket: FetchTable<Int, Int>.FetchID] = [:]
        var backoffs: [(due: Instant, fetch: FetchTable<Int, Int>.FetchID)] = []
        var asked = 0
        var now = Instant(nanoseconds: 0)

        func fail(_ id: FetchTable<Int, Int>.FetchID, _ reason: RetryStop?) {
            for _ in table.end(id) { outcome.failures.append(reason) }
            progress[id] = nil
        }
        func send(_ id: FetchTable<Int, Int>.FetchID) {
            guard var attempt = progress[id], let deadline = table.deadline(of: id) else { return }
            outcome.sent.append(now)
            table.started(id, now: now)
            attempt.attemptStarted()
            if throttle.admits(tag.text, at: now) {
                attempt.succeeded(now: now, quota: &quota)
                _ = table.end(id)
                progress[id] = nil
                outcome.lastAnswer = now
                return
            }
            outcome.limiter.throttled(tag, now: now)
            switch attempt.decide(
                after: .afterThrottling, hint: nil, now: now, deadline: deadline,
                random: .random(in: 0..<1, using: &generator), quota: &quota)
            {
            case .retry(let delay): backoffs.append((now + delay, id))
            case .stop(let reason, _): fail(id, reason)
            }
            if progress[id] != nil { progress[id] = attempt }
        }
        func admit(_ id: FetchTable<Int, Int>.FetchID) {
            guard let deadline = table.deadline(of: id) else { return }
            switch outcome.limiter.admit(tag, now: now, deadline: deadline) {
            case .now: send(id)
            case .waiting(let ticket): tickets[ticket] = id
            case .refused: fail(id, nil)
            }
        }

        let step = Self.askedWithin.nanoseconds / Int64(Self.callCount)
        while asked < Self.callCount || !progress.isEmpty {
            if asked < Self.callCount {
                let (place, isNew) = table.join(
                    asked % versions, limit: AgeLimit(.zero, timeToLive: .seconds(300)), arrival: now,
                    deadline: now + PublicKeyQuery.defaultTimeout, waiter: asked)
                asked += 1
                if isNew {
                    progress[place.fetch] = RetryProgress(RetryPolicy())
                    admit(place.fetch)
                }
            }
            now = now + .nanoseconds(step)
            let due = backoffs.filter { $0.due <= now }
            backoffs.removeAll { $0.due <= now }
            for (_, id) in due { admit(id) }
            for ticket in outcome.limiter.admitDue(now: now) {
                if let id = tickets.removeValue(forKey: ticket) { send(id) }
            }
        }
        return outcome
    }

    @Test(arguments: [3, 20, 100, 1_000], UInt64(1)...5)
    func `no call fails, the service sees little more than it takes, and the rate comes back`(
        versions: Int, seed: UInt64
    ) throws {
        let outcome = try run(versions: versions, seed: seed)
        #expect(outcome.failures.isEmpty, "\(outcome.failures.count): \(Set(outcome.failures))")
        let settled = Instant(nanoseconds: 0) + Self.settledAfter
        let end = outcome.sent.last ?? settled
        let late = outcome.sent.count { $0 >= settled }
        let seconds = Double((end - settled).nanoseconds) / 1e9
        if seconds > 1 { #expect(Double(late) / seconds <= Self.mostPerSecond) }
        let rate = outcome.limiter.currentRate(of: try KeyTag("k"), now: end + .seconds(10))
        #expect(rate == Int64(KMSClientConfiguration.defaultRatePerKey) * 1_000)
    }
}
