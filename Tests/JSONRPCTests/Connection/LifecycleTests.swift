import Platform
import Testing

@testable import JSONRPC

@Suite struct LifecycleTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func work(
        inFlight: Int = 0, hasInput: Bool = false, unwritten: Int = 0, lastAnswer: Instant = Instant(nanoseconds: 0)
    ) -> Lifecycle.Work {
        Lifecycle.Work(inFlight: inFlight, hasInput: hasInput, unwritten: unwritten, lastAnswer: lastAnswer)
    }

    private var everyWork: [Lifecycle.Work] {
        [work(), work(inFlight: 1), work(hasInput: true), work(unwritten: 1), work(inFlight: 1, unwritten: 1)]
    }

    @Test func `without an event it goes on for ever, without a timer`() {
        let lifecycle = Lifecycle()
        #expect(!lifecycle.inputHasEnded)
        #expect(!lifecycle.refusesRequests)
        for work in everyWork { #expect(lifecycle.verdict(now: start, work) == .run(until: nil)) }
    }

    @Test func `at the end of the input everything is finished first, without a timer`() {
        var lifecycle = Lifecycle()
        lifecycle.inputEnded()
        #expect(lifecycle.inputHasEnded)
        #expect(!lifecycle.refusesRequests)
        for work in everyWork.dropFirst() { #expect(lifecycle.verdict(now: .distantFuture, work) == .run(until: nil)) }
        #expect(lifecycle.verdict(now: start, work()) == .exit)
    }

    @Test func `a signal gives a second, then refuses what is in flight`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(now: start)
        let end = start + .seconds(1)
        #expect(lifecycle.inputHasEnded)
        #expect(lifecycle.refusesRequests)
        #expect(lifecycle.verdict(now: start, work()) == .exit)
        #expect(lifecycle.verdict(now: start, work(inFlight: 2)) == .run(until: end))
        #expect(lifecycle.verdict(now: start, work(unwritten: 2)) == .run(until: end))
        let almost = Instant(nanoseconds: end.nanoseconds - 1)
        #expect(lifecycle.verdict(now: almost, work(inFlight: 2)) == .run(until: end))
        #expect(lifecycle.verdict(now: end, work(inFlight: 2)) == .refuseInFlight)
        #expect(lifecycle.verdict(now: end, work(unwritten: 2)) == .exit)
    }

    @Test func `refusals that a full pipe did not take have half a second more`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(now: start)
        let late = start + .milliseconds(1_200)
        lifecycle.refusedInFlight(now: late)
        let end = late + .milliseconds(500)
        #expect(lifecycle.verdict(now: late, work(unwritten: 2)) == .run(until: end))
        #expect(lifecycle.verdict(now: late, work()) == .exit)
        #expect(lifecycle.verdict(now: end, work(unwritten: 2)) == .exit)
    }

    @Test func `a second signal does not prolong the grace`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(now: start)
        lifecycle.terminate(now: start + .milliseconds(900))
        #expect(
            lifecycle.verdict(now: start + .milliseconds(950), work(inFlight: 1)) == .run(until: start + .seconds(1)))
    }

    @Test func `exit waits for the flush alone, and no longer than the grace`() {
        var lifecycle = Lifecycle()
        lifecycle.exit(now: start)
        let end = start + .seconds(1)
        #expect(lifecycle.inputHasEnded)
        #expect(lifecycle.refusesRequests)
        #expect(lifecycle.verdict(now: start, work(inFlight: 5)) == .exit)
        #expect(lifecycle.verdict(now: start, work(inFlight: 5, unwritten: 1)) == .run(until: end))
        #expect(lifecycle.verdict(now: end, work(inFlight: 5, unwritten: 1)) == .exit)
    }

    @Test func `exit after a signal is at once, within what is left of the grace`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(now: start)
        lifecycle.exit(now: start + .milliseconds(500))
        #expect(lifecycle.verdict(now: start + .milliseconds(500), work(inFlight: 1)) == .exit)
        let verdict = lifecycle.verdict(now: start + .milliseconds(500), work(unwritten: 1))
        #expect(verdict == .run(until: start + .seconds(1)))
    }

    @Test func `a closed output ends everything at once`() {
        var lifecycle = Lifecycle()
        lifecycle.outputClosed()
        for work in everyWork { #expect(lifecycle.verdict(now: start, work) == .exit) }
        lifecycle.terminate(now: start)
        #expect(lifecycle.verdict(now: start, work(inFlight: 1)) == .exit)
    }

    @Test func `after shutdown it lingers two seconds behind the last answer`() {
        var lifecycle = Lifecycle()
        lifecycle.shutDown(now: start)
        #expect(!lifecycle.inputHasEnded)
        #expect(lifecycle.refusesRequests)
        for work in everyWork.dropFirst() { #expect(lifecycle.verdict(now: .distantFuture, work) == .run(until: nil)) }
        let last = start + .milliseconds(700)
        let end = last + .seconds(2)
        #expect(lifecycle.verdict(now: last, work(lastAnswer: last)) == .run(until: end))
        #expect(
            lifecycle.verdict(now: Instant(nanoseconds: end.nanoseconds - 1), work(lastAnswer: last))
                == .run(until: end))
        #expect(lifecycle.verdict(now: end, work(lastAnswer: last)) == .exit)
        lifecycle.inputEnded()
        #expect(lifecycle.verdict(now: last, work(lastAnswer: last)) == .exit)
    }

    /// The symptom: a `shutdown` that is a notification, or one whose batch is not answered yet, ended the process at
    /// once when the last answer was long ago.
    @Test func `it lingers behind the shutdown itself if no answer came after it`() {
        var lifecycle = Lifecycle()
        lifecycle.shutDown(now: start)
        #expect(lifecycle.verdict(now: start, work()) == .run(until: start + .seconds(2)))
        #expect(lifecycle.verdict(now: start + .seconds(2), work()) == .exit)
    }

    @Test func `shutdown, then a signal: the grace counts`() {
        var lifecycle = Lifecycle()
        lifecycle.shutDown(now: start)
        #expect(!lifecycle.isEnding)
        lifecycle.inputEnded()
        #expect(!lifecycle.isEnding, "the stop descriptors are still to be watched")
        lifecycle.terminate(now: start + .seconds(5))
        #expect(lifecycle.isEnding)
        #expect(lifecycle.verdict(now: start + .seconds(5), work(inFlight: 1)) == .run(until: start + .seconds(6)))
        #expect(lifecycle.verdict(now: start + .seconds(6), work(inFlight: 1)) == .refuseInFlight)
    }
}
