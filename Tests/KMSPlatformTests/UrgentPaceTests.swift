import Testing

@testable import KMSPlatform

struct UrgentPaceTests {
    private static let pause = UrgentPace.shortestPause
    private func expect(_ pace: inout UrgentPace, isDue: Bool, at now: Instant) {
        let answer = pace.isDue(now: now)
        #expect(answer == isDue)
    }

    private static let start = Instant(nanoseconds: 1_000_000_000)

    @Test func `a look that found nothing is repeated after the shortest pause`() {
        var pace = UrgentPace()
        pace.looked(foundSomething: false, now: Self.start)
        #expect(!pace.hasFound)
        expect(&pace, isDue: false, at: Self.start + Self.pause + .nanoseconds(-1))
        expect(&pace, isDue: true, at: Self.start + Self.pause)
    }

    @Test(arguments: [
        (took: Duration.zero, pause: pause), (took: pause + .microseconds(-1), pause: pause),
        (took: pause + .microseconds(1), pause: pause + .microseconds(1)),
        (took: .milliseconds(3), pause: .milliseconds(3)),
    ])
    func `other work gets as long as what was found took`(took: Duration, pause: Duration) {
        var pace = UrgentPace()
        pace.looked(foundSomething: true, now: Self.start)
        #expect(pace.hasFound)
        let end = Self.start + took
        pace.dealtWith(now: end)
        #expect(!pace.hasFound)
        expect(&pace, isDue: false, at: end + pause + .nanoseconds(-1))
        expect(&pace, isDue: true, at: end + pause)
    }

    @Test func `nothing is dealt with unless something was found`() {
        var pace = UrgentPace()
        pace.looked(foundSomething: false, now: Self.start)
        pace.dealtWith(now: Self.start + .seconds(1))
        expect(&pace, isDue: true, at: Self.start + .seconds(1))
    }

    @Test func `after a turn without other work the pause begins with the first question`() {
        var pace = UrgentPace()
        pace.looked(foundSomething: true, now: Self.start)
        pace.restart()
        #expect(!pace.hasFound)
        let first = Self.start + .seconds(1)
        expect(&pace, isDue: false, at: first)
        expect(&pace, isDue: false, at: first + Self.pause + .nanoseconds(-1))
        expect(&pace, isDue: true, at: first + Self.pause)
    }
}
