import KMSPlatform
import Testing

@testable import KMSEmulator

@Suite struct ThrottleTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test func `the permitted number of requests of a key pass in a second, and again in the next`() {
        var throttle = Throttle(requestsPerSecond: 3)
        var admitted: [Bool] = []
        for _ in 0..<5 { admitted.append(throttle.admits("a", at: start)) }
        #expect(admitted == [true, true, true, false, false])
        let atTheEnd = throttle.admits("a", at: start + .milliseconds(999))
        #expect(!atTheEnd)
        let inTheNext = throttle.admits("a", at: start + .milliseconds(1_000))
        #expect(inTheNext)
    }

    @Test func `keys have limits of their own`() {
        var throttle = Throttle(requestsPerSecond: 1)
        let admitted = ["a", "b", "a"].map { throttle.admits($0, at: start) }
        #expect(admitted == [true, true, false])
    }

    @Test func `without a limit everything passes`() {
        var throttle = Throttle(requestsPerSecond: nil)
        let refused = (0..<10_000).count { _ in !throttle.admits("a", at: start) }
        #expect(refused == 0)
    }
}
