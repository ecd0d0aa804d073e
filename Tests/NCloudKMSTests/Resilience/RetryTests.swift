import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct RetryTests {
    private let now = Instant(nanoseconds: 0)

    /// Random is 1 in the known steps: the bound of each delay.
    private func decide(
        _ progress: inout RetryProgress, _ quota: inout RetryQuota, after repetition: Repetition,
        hint: Duration? = nil, deadline: Instant = .distantFuture, random: Double = 1
    ) -> RetryDecision {
        progress.attemptStarted()
        return progress.decide(
            after: repetition, hint: hint, now: now, deadline: deadline, random: random, quota: &quota)
    }

    @Test func `two failures and a success cost two retries and give one back`() {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        #expect(decide(&progress, &quota, after: .afterBackoff) == .retry(after: .milliseconds(50)))
        #expect(quota.available(now: now) == 486)
        #expect(decide(&progress, &quota, after: .afterBackoff) == .retry(after: .milliseconds(100)))
        #expect(quota.available(now: now) == 472)
        progress.attemptStarted()
        progress.succeeded(now: now, quota: &quota)
        #expect(quota.available(now: now) == 486)
        #expect(progress.attempts == 3)
    }

    @Test func `there may be another attempt until the last, and while there is quota`() {
        var progress = RetryProgress(RetryPolicy(maximumAttempts: 2))
        var quota = RetryQuota(now: now)
        #expect(progress.mayHaveAnotherAttempt(now: now, quota: &quota))
        _ = decide(&progress, &quota, after: .afterThrottling)
        #expect(progress.mayHaveAnotherAttempt(now: now, quota: &quota))
        _ = decide(&progress, &quota, after: .afterBackoff)
        #expect(!progress.mayHaveAnotherAttempt(now: now, quota: &quota))
        while quota.take(RetryQuota.retryCost, now: now) {}
        #expect(!RetryProgress(RetryPolicy()).mayHaveAnotherAttempt(now: now, quota: &quota))
    }

    @Test func `throttled once waits a second and costs five`() {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        #expect(decide(&progress, &quota, after: .afterThrottling) == .retry(after: .seconds(1)))
        #expect(quota.available(now: now) == 495)
        progress.succeeded(now: now, quota: &quota)
        #expect(quota.available(now: now) == 500)
    }

    static let hints: [(Duration?, Double, Duration)] = [
        (.milliseconds(1_500), 1, .milliseconds(1_500)), (.seconds(10), 1, .milliseconds(5_050)),
        (.zero, 1, .milliseconds(50)), (nil, 1, .milliseconds(50)), (nil, 0, .zero), (nil, 0.5, .milliseconds(25)),
        (.seconds(10), 0, .seconds(5)), (.milliseconds(10), 0.5, .milliseconds(25)),
        (.milliseconds(30), 0.5, .milliseconds(30)),
    ]

    @Test(arguments: hints)
    func `a hint moves the delay by five seconds at most`(hint: Duration?, random: Double, expected: Duration) {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        let decision = decide(&progress, &quota, after: .afterBackoff, hint: hint, random: random)
        #expect(decision == .retry(after: expected))
    }

    @Test func `delays double up to twenty seconds`() {
        let delays = (0..<12).map {
            RetryPolicy.delay(beforeRetry: $0, isThrottled: false, hint: nil, random: 1).milliseconds
        }
        #expect(delays == [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000, 20_000])
        let throttled = (0..<7).map {
            RetryPolicy.delay(beforeRetry: $0, isThrottled: true, hint: nil, random: 1).milliseconds
        }
        #expect(throttled == [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000])
        #expect(RetryPolicy.delay(beforeRetry: .max, isThrottled: true, hint: nil, random: 1) == .seconds(20))
    }

    @Test func `a quota of 14 pays for one retry`() {
        var quota = RetryQuota(now: now)
        #expect(quota.take(RetryQuota.capacity - 14, now: now) == true)
        var progress = RetryProgress(RetryPolicy())
        #expect(decide(&progress, &quota, after: .afterBackoff) == .retry(after: .milliseconds(50)))
        #expect(decide(&progress, &quota, after: .afterBackoff) == .stop(.quota, retryAfter: nil))
        #expect(quota.available(now: now) == 0)
    }

    @Test func `a throttled call goes on with the quota used up, and gives back what it took`() {
        var quota = RetryQuota(now: now)
        #expect(quota.take(RetryQuota.capacity - 3, now: now) == true)
        var progress = RetryProgress(RetryPolicy())
        #expect(decide(&progress, &quota, after: .afterThrottling) == .retry(after: .seconds(1)))
        #expect(quota.available(now: now) == 0)
        var other = progress
        progress.succeeded(now: now, quota: &quota)
        #expect(quota.available(now: now) == 3)
        #expect(quota.take(3, now: now) == true)
        #expect(decide(&other, &quota, after: .afterThrottling) == .retry(after: .seconds(2)))
        other.succeeded(now: now, quota: &quota)
        #expect(quota.available(now: now) == 0)
    }

    @Test func `the quota refills by ten a second and never above its capacity`() {
        var quota = RetryQuota(now: now)
        #expect(quota.take(500, now: now) == true)
        #expect(quota.take(1, now: now + .milliseconds(99)) == false)
        #expect(quota.available(now: now + .milliseconds(150)) == 1)
        // The half of a token that was counted stays counted.
        #expect(quota.available(now: now + .milliseconds(200)) == 2)
        #expect(quota.available(now: now + .seconds(1)) == 10)
        #expect(quota.available(now: now + .seconds(49)) == 490)
        #expect(quota.available(now: now + .seconds(3_600)) == 500)
        // Time at a full bucket is not saved up.
        #expect(quota.take(100, now: now + .seconds(3_600)) == true)
        #expect(quota.available(now: now + .seconds(3_600)) == 400)
        quota.giveBack(1_000, now: now + .seconds(3_600))
        #expect(quota.available(now: now + .seconds(3_600)) == 500)
        // A clock that stands still or goes back refills nothing.
        #expect(quota.take(1, now: now) == true)
        #expect(quota.available(now: now) == 499)
    }

    @Test func `a success without a retry gives one back`() {
        var quota = RetryQuota(now: now)
        #expect(quota.take(100, now: now) == true)
        RetryProgress(RetryPolicy()).succeeded(now: now, quota: &quota)
        #expect(quota.available(now: now) == 401)
    }

    static let limits = [1, 2, 3, 5]

    @Test(arguments: limits)
    func `as many attempts are made as the policy allows`(maximum: Int) {
        var progress = RetryProgress(RetryPolicy(maximumAttempts: maximum))
        var quota = RetryQuota(now: now)
        for _ in 1..<max(maximum, 1) {
            guard case .retry = decide(&progress, &quota, after: .afterBackoff) else {
                Issue.record("stopped after \(progress.attempts)")
                return
            }
        }
        let last = decide(&progress, &quota, after: .afterBackoff, hint: .seconds(7))
        #expect(last == .stop(.attempts, retryAfter: .seconds(7)))
        #expect(progress.attempts == maximum)
    }

    @Test func `throttled attempts do not count`() {
        var progress = RetryProgress(RetryPolicy(maximumAttempts: 2))
        var quota = RetryQuota(now: now)
        for _ in 0..<10 {
            guard case .retry = decide(&progress, &quota, after: .afterThrottling) else {
                Issue.record("stopped after \(progress.attempts)")
                return
            }
        }
        #expect(quota.available(now: now) == 450)
        guard case .retry = decide(&progress, &quota, after: .afterBackoff) else {
            Issue.record("the throttled ones were counted")
            return
        }
        guard case .retry = decide(&progress, &quota, after: .afterThrottling) else {
            Issue.record("the throttled one was counted")
            return
        }
        #expect(decide(&progress, &quota, after: .afterBackoff) == .stop(.attempts, retryAfter: nil))
        #expect(progress.attempts == 13)
    }

    @Test func `a retry that would pass the deadline is not waited for and costs nothing`() {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        let deadline = now + .milliseconds(50)
        let stop = decide(&progress, &quota, after: .afterBackoff, deadline: deadline)
        #expect(stop == .stop(.deadline, retryAfter: .milliseconds(50)))
        #expect(quota.available(now: now) == 500)

        var other = RetryProgress(RetryPolicy())
        let decision = decide(&other, &quota, after: .afterBackoff, deadline: deadline + .nanoseconds(1))
        #expect(decision == .retry(after: .milliseconds(50)))
    }

    @Test(arguments: [Repetition.never, .afterReauthentication])
    func `what would bring the same answer is not repeated`(repetition: Repetition) {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        #expect(decide(&progress, &quota, after: repetition) == .stop(.notRetryable, retryAfter: nil))
        #expect(quota.available(now: now) == 500)
    }

    @Test func `a damaged answer is repeated once`() {
        var progress = RetryProgress(RetryPolicy(maximumAttempts: 9))
        var quota = RetryQuota(now: now)
        #expect(decide(&progress, &quota, after: .once) == .retry(after: .milliseconds(50)))
        #expect(decide(&progress, &quota, after: .afterBackoff) == .retry(after: .milliseconds(100)))
        #expect(decide(&progress, &quota, after: .once) == .stop(.attempts, retryAfter: nil))
    }

    @Test func `a corrected clock and new credentials repeat once each and count for nothing`() {
        var progress = RetryProgress(RetryPolicy(maximumAttempts: 1))
        progress.attemptStarted()
        #expect(progress.repeatsOnce(for: .clockSkew) == true)
        progress.attemptStarted()
        #expect(progress.repeatsOnce(for: .newCredentials) == true)
        progress.attemptStarted()
        #expect(progress.repeatsOnce(for: .clockSkew) == false)
        #expect(progress.repeatsOnce(for: .newCredentials) == false)
        #expect(progress.attempts == 3)
        var quota = RetryQuota(now: now)
        #expect(
            progress.decide(
                after: .afterBackoff, hint: nil, now: now, deadline: .distantFuture, random: 1, quota: &quota)
                == .stop(.attempts, retryAfter: nil))
    }

    @Test func `a retry that would pass the deadline tells the server's own wait`() {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        let stop = decide(&progress, &quota, after: .afterBackoff, hint: .seconds(60), deadline: now + .seconds(2))
        #expect(stop == .stop(.deadline, retryAfter: .seconds(60)))
    }

    @Test(arguments: [Repetition.afterBackoff, .afterThrottling])
    func `a retry that is never sent costs nothing`(repetition: Repetition) {
        var progress = RetryProgress(RetryPolicy())
        var quota = RetryQuota(now: now)
        _ = decide(&progress, &quota, after: repetition)
        #expect(quota.available(now: now) < 500)
        progress.ended(now: now, quota: &quota)
        #expect(quota.available(now: now) == 500)

        _ = decide(&progress, &quota, after: repetition)
        progress.attemptStarted()
        progress.ended(now: now, quota: &quota)
        #expect(quota.available(now: now) < 500)
    }
}
