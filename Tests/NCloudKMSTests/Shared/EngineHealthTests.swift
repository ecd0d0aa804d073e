import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct EngineHealthTests {
    private let start = Instant(nanoseconds: 5_000_000_000)
    private let unreachable = EngineLoss(kind: .unreachable, message: "it is gone")
    private let refused = EngineLoss(kind: .refused, message: "it refuses")
    private static let new = EngineHealth()

    @Test func `the first fetch connects, and waits with the others`() {
        var health = Self.new
        #expect(health.wanted(now: start, deadline: start + .seconds(30)) == (.wait, connects: true))
        #expect(health.wanted(now: start, deadline: start + .seconds(30)) == (.wait, connects: false))
        #expect(health.nextDue == start + .seconds(15))
        health.connected(now: start)
        #expect(health.wanted(now: start, deadline: start + .seconds(30)) == (.ask, connects: false))
    }

    @Test func `nobody waits for more than half of the time`() {
        var health = Self.new
        _ = health.wanted(now: start, deadline: start + .seconds(30))
        _ = health.wanted(now: start, deadline: start + .milliseconds(200))
        _ = health.wanted(now: start, deadline: start + .seconds(30))
        #expect(health.losePatience(now: start + .milliseconds(99)) == false)
        #expect(health.losePatience(now: start + .milliseconds(100)) == true)
        #expect(health.losePatience(now: start + .milliseconds(100)) == false)
        #expect(
            health.wanted(now: start + .milliseconds(100), deadline: start + .milliseconds(100) + .seconds(30)) == (
                .goWithout, connects: false
            ))
        #expect(health.nextDue == nil)
        #expect(health.isDegraded)
        health.connected(now: start + .milliseconds(500))
        // It was never lost, so its first answer is no return.
        #expect(health.answered() == false)
        #expect(
            health.wanted(now: start + .milliseconds(500), deadline: start + .milliseconds(500) + .seconds(30)) == (
                .ask, connects: false
            ))
    }

    /// The number of losses, the random number, and the pause.
    static let pauses: [(Int, Double, Duration)] = [
        (1, 0, .milliseconds(50)), (1, 0.5, .milliseconds(75)), (2, 0, .milliseconds(100)), (3, 0, .milliseconds(200)),
        (6, 0, .milliseconds(1_600)), (7, 0, .milliseconds(2_500)), (100, 0, .milliseconds(2_500)),
        (100, 0.999, .microseconds(4_997_500)),
    ]

    @Test(arguments: pauses)
    func `after a loss a fetch tries again after a pause, and nobody waits`(
        losses: Int, random: Double, pause: Duration
    ) {
        var health = Self.new
        var now = start
        for _ in 1..<losses {
            #expect(health.wanted(now: now, deadline: now + .seconds(30)).connects == true)
            _ = health.lost(unreachable, now: now, random: random)
            now = now + .seconds(5)
        }
        _ = health.wanted(now: now, deadline: now + .seconds(30))
        _ = health.lost(unreachable, now: now, random: random)
        #expect(health.nextDue == nil)
        #expect(
            health.wanted(now: now + pause + .nanoseconds(-1), deadline: now + pause + .nanoseconds(-1) + .seconds(30))
                == (.goWithout, connects: false))
        #expect(health.wanted(now: now + pause, deadline: now + pause + .seconds(30)) == (.goWithout, connects: true))
        #expect(health.wanted(now: now + pause, deadline: now + pause + .seconds(30)) == (.goWithout, connects: false))
    }

    @Test func `after a refusal it tries again after a minute`() {
        var health = Self.new
        _ = health.wanted(now: start, deadline: start + .seconds(30))
        #expect(health.lost(refused, now: start, random: 0) == true)
        #expect(health.lastError == "it refuses")
        #expect(
            health.wanted(now: start + .milliseconds(59_999), deadline: start + .milliseconds(59_999) + .seconds(30))
                .connects == false)
        #expect(
            health.wanted(now: start + .seconds(60), deadline: start + .seconds(60) + .seconds(30)).connects == true)
    }

    @Test func `after a login that failed it tries again soon, as files can change`() {
        var health = Self.new
        let wrong = EngineLoss(kind: .credentials, message: "the password is wrong")
        _ = health.wanted(now: start, deadline: start + .seconds(30))
        #expect(health.lost(wrong, now: start, random: 0) == true)
        #expect(health.lost(wrong, now: start, random: 0) == false)
        #expect(health.lost(refused, now: start, random: 0) == false)
        #expect(health.lost(wrong, now: start, random: 0) == false)
        let end = start + .seconds(2)
        #expect(
            health.wanted(now: end + .nanoseconds(-1), deadline: end + .seconds(30)) == (.goWithout, connects: false))
        #expect(health.wanted(now: end, deadline: end + .seconds(30)) == (.goWithout, connects: true))
    }

    /// It would be sent forever, from every process, although nobody changes it.
    @Test func `a password that stays wrong is sent once a minute after half a minute`() {
        var health = Self.new
        var (now, pauses) = (start, [Duration]())
        for _ in 0..<14 {
            _ = health.lost(EngineLoss(kind: .credentials, message: "wrong"), now: now, random: 0.999_999)
            guard case .degraded(let retry) = health.state else {
                Issue.record("\(health.state)")
                return
            }
            pauses.append(.milliseconds((retry - now).millisecondsRoundedUp))
            now = retry
        }
        let seconds = [4, 4, 4, 4, 4, 4, 4, 4, 8, 16, 32, 60, 60, 60]
        #expect(pauses == seconds.map { .seconds($0) })
    }

    @Test func `the first loss is news, and so is the first answer after it`() {
        var health = Self.new
        health.connected(now: start)
        #expect(health.answered() == false)
        #expect(health.lost(unreachable, now: start, random: 0) == true)
        #expect(health.lost(unreachable, now: start, random: 0) == false)
        // A stopped engine accepts connections, and answers nothing.
        health.connected(now: start)
        #expect(health.lost(unreachable, now: start, random: 0) == false)
        // Somebody has to know this.
        #expect(health.lost(refused, now: start, random: 0) == true)
        #expect(health.lost(refused, now: start, random: 0) == false)
        #expect(health.lost(unreachable, now: start, random: 0) == false)
        health.connected(now: start)
        #expect(health.answered() == true)
        #expect(health.answered() == false)
        #expect(health.lost(unreachable, now: start, random: 0) == true)
    }

    @Test func `an answer makes the next pause short again`() {
        var health = Self.new
        for _ in 0..<5 { _ = health.lost(unreachable, now: start, random: 0) }
        health.connected(now: start)
        _ = health.answered()
        _ = health.lost(unreachable, now: start, random: 0)
        #expect(
            health.wanted(now: start + .milliseconds(50), deadline: start + .milliseconds(50) + .seconds(30)).connects
                == true)
    }

    @Test func `a connection rests after a minute without use`() {
        var health = Self.new
        _ = health.wanted(now: start, deadline: start + .seconds(30))
        health.connected(now: start)
        health.used(now: start + .seconds(30))
        #expect(health.nextDue == start + .seconds(90))
        #expect(health.rest(now: start + .seconds(89)) == false)
        #expect(health.rest(now: start + .seconds(90)) == true)
        #expect(health.rest(now: start + .seconds(90)) == false)
        // Nothing wakes an idle process.
        #expect(health.nextDue == nil)
        #expect(
            health.wanted(now: start + .seconds(90), deadline: start + .seconds(90) + .seconds(30)) == (
                .wait, connects: true
            ))
    }
}
