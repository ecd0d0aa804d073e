import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct ConnectionSlotsTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)

    private func slots(_ maximum: Int, used: Int) -> ConnectionSlots {
        var slots = ConnectionSlots(maximum: maximum)
        for _ in 0..<used { slots.take() }
        return slots
    }

    @Test func `a connection that can't be opened is missing while others are under way`() {
        var slots = slots(4, used: 3)
        let waits = slots.lacked(now: Self.start)
        #expect(waits)
        #expect((slots.used, slots.missing, slots.free) == (2, 2, 0), "what is under way is the limit")
        slots.release()
        #expect((slots.used, slots.missing, slots.free) == (1, 2, 1))
        slots.release()
        #expect((slots.used, slots.missing, slots.free) == (0, 0, 4), "nothing is left to wait for")
    }

    @Test func `the last attempt under way has nothing to wait for`() {
        var slots = slots(4, used: 1)
        let waits = slots.lacked(now: Self.start)
        #expect(!waits)
        #expect(slots.free == 1, "one may always try, and more would fail alike")
        slots.take()
        slots.ended(now: Self.start)
        #expect(slots.free == 4)
    }

    @Test func `one of the missing is tried again in each interval, after an answer`() {
        var slots = slots(8, used: 6)
        for _ in 0..<3 { _ = slots.lacked(now: Self.start) }
        let next = Self.start + ConnectionSlots.growthInterval
        slots.ended(now: next + .nanoseconds(-1))
        #expect(slots.missing == 5)
        slots.take()
        slots.ended(now: next)
        #expect(slots.missing == 4)
        slots.take()
        slots.ended(now: next + .milliseconds(999))
        #expect(slots.missing == 4)
        slots.take()
        slots.ended(now: next + ConnectionSlots.growthInterval)
        #expect(slots.missing == 3)
    }
}
