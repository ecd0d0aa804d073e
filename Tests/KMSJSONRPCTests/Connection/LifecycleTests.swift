import KMSPlatform
import Testing

@testable import KMSJSONRPC

@Suite struct LifecycleTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func work(
        inFlight: Int = 0, hasInput: Bool = false, unwritten: Int = 0,
        lastAnswer: Instant = Instant(nanoseconds: 0)
    ) -> Lifecycle.Work {
        Lifecycle.Work(
            inFlight: inFlight, hasInput: hasInput, unwritten: unwritten, lastAnswer: lastAnswer)
    }

    private var everyWork: [Lifecycle.Work] {
        [work(), work(inFlight: 1), work(hasInput: true), work(unwritten: 1), work(inFlight: 1, unwritten: 1)]
    }

    @Test func `without an event it goes on forever, without a timer`() {
        let lifecycle = Lifecycle()
        #expect(!lifecycle.inputHasEnded)
        #expect(!lifecycle.refusesRequests)
        for work in everyWork { #expect(lifecycle.verdict(now: start, work) == .run(until: nil)) }
    }

    @Test func `at the end of the input everything is finished first, without a timer`() {
        var lifecycle = Lifecycle()
        lifecycle.inputEnded(.endOfInput)
        #expect(lifecycle.inputHasEnded)
        #expect(!lifecycle.refusesRequests)
        for work in everyWork.dropFirst() { #expect(lifecycle.verdict(now: .distantFuture, work) == .run(until: nil)) }
        #expect(lifecycle.verdict(now: start, work()) == .exit)
    }

    @Test func `a signal gives a second, then refuses what is in flight`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(by: 9, now: start)
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
        lifecycle.terminate(by: 9, now: start)
        let late = start + .milliseconds(1_200)
        lifecycle.refusedInFlight(now: late)
        let end = late + .milliseconds(500)
        #expect(lifecycle.verdict(now: late, work(unwritten: 2)) == .run(until: end))
        #expect(lifecycle.verdict(now: late, work()) == .exit)
        #expect(lifecycle.verdict(now: end, work(unwritten: 2)) == .exit)
    }

    @Test func `a second signal does not prolong the grace`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(by: 9, now: start)
        lifecycle.terminate(by: 9, now: start + .milliseconds(900))
        #expect(
            lifecycle.verdict(now: start + .milliseconds(950), work(inFlight: 1)) == .run(until: start + .seconds(1)))
    }

    @Test func `exit drops what is in flight, and waits for a slow reader without a timer`() {
        var lifecycle = Lifecycle()
        lifecycle.exit()
        #expect(lifecycle.inputHasEnded)
        #expect(lifecycle.refusesRequests)
        #expect(!lifecycle.isEnding, "the stop descriptors are still to be watched")
        #expect(lifecycle.verdict(now: start, work(inFlight: 5, unwritten: 1)) == .dropInFlight)
        #expect(lifecycle.verdict(now: .distantFuture, work(unwritten: 1)) == .run(until: nil))
        // The rest of the batch that it is a member of.
        #expect(lifecycle.verdict(now: start, work(inFlight: 5, hasInput: true)) == .run(until: nil))
        #expect(lifecycle.verdict(now: start, work()) == .exit)
    }

    @Test func `exit and a signal, in any order: nothing is waited for but the reader, within the grace`() {
        let late = start + .milliseconds(500)
        var signalFirst = Lifecycle()
        signalFirst.terminate(by: 9, now: start)
        signalFirst.exit()
        var exitFirst = Lifecycle()
        exitFirst.exit()
        exitFirst.terminate(by: 9, now: start)
        for lifecycle in [signalFirst, exitFirst] {
            #expect(lifecycle.verdict(now: late, work(inFlight: 1)) == .dropInFlight)
            #expect(lifecycle.verdict(now: late, work(unwritten: 1)) == .run(until: start + .seconds(1)))
            #expect(lifecycle.verdict(now: start + .seconds(1), work(unwritten: 1)) == .exit)
            #expect(lifecycle.verdict(now: late, work()) == .exit)
        }
    }

    @Test func `exit drops the calls in flight, and writes the answers that are there`() {
        var lifecycle = Lifecycle()
        lifecycle.exit()
        #expect(lifecycle.verdict(now: start, work(inFlight: 2, unwritten: 1)) == .dropInFlight)
        #expect(lifecycle.verdict(now: start, work(unwritten: 1)) == .run(until: nil))
        // The rest of the batch that the `exit` is in is answered first.
        #expect(lifecycle.verdict(now: start, work(inFlight: 1, hasInput: true)) == .run(until: nil))
        #expect(lifecycle.verdict(now: start, work()) == .exit)
        // No longer than a signal allows.
        lifecycle.terminate(by: 9, now: start)
        #expect(lifecycle.verdict(now: start, work(unwritten: 1)) == .run(until: start + .seconds(1)))
        #expect(lifecycle.verdict(now: start + .seconds(1), work(unwritten: 1)) == .exit)
    }

    /// The symptom: a flood of input that was read before the signal was dealt with to its end, however long that took.
    @Test func `after a signal the input that was read is dealt with, no longer than the grace`() {
        var lifecycle = Lifecycle()
        lifecycle.terminate(by: 9, now: start)
        let end = start + .seconds(1)
        #expect(lifecycle.verdict(now: start, work(hasInput: true)) == .run(until: end))
        #expect(lifecycle.verdict(now: end, work(hasInput: true)) == .exit)
        lifecycle.refusedInFlight(now: end)
        #expect(lifecycle.verdict(now: end, work(hasInput: true)) == .run(until: end + .milliseconds(500)))
        #expect(lifecycle.verdict(now: end + .milliseconds(500), work(hasInput: true, unwritten: 1)) == .exit)
    }

    @Test func `it knows why it ends: for what came last, as that cut short what came before`() {
        var lifecycle = Lifecycle()
        #expect(lifecycle.ending == .shutdown)
        lifecycle.inputEnded(.badFrame)
        lifecycle.inputEnded(.endOfInput)
        #expect(lifecycle.ending == .badFrame)
        lifecycle.exit()
        #expect(lifecycle.ending == .exit)
        lifecycle.terminate(by: 9, now: start)
        lifecycle.terminate(by: 10, now: start)
        #expect(lifecycle.ending == .stopped(by: 9))
        lifecycle.outputClosed(EPIPE)
        lifecycle.outputClosed(EBADF)
        #expect(lifecycle.ending == .outputClosed(EPIPE))
    }

    @Test func `a closed output ends everything at once`() {
        var lifecycle = Lifecycle()
        lifecycle.outputClosed(EPIPE)
        for work in everyWork { #expect(lifecycle.verdict(now: start, work) == .exit) }
        lifecycle.terminate(by: 9, now: start)
        #expect(lifecycle.verdict(now: start, work(inFlight: 1)) == .exit)
    }

    @Test func `after shutdown it lingers two seconds after the last answer`() {
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
        lifecycle.inputEnded(.endOfInput)
        #expect(lifecycle.verdict(now: last, work(lastAnswer: last)) == .exit)
    }

    /// The symptom: a `shutdown` that is a notification, or one whose batch is not answered yet, ended the process at
    /// once when the last answer was long ago.
    @Test func `it lingers after the shutdown itself if no answer came after it`() {
        var lifecycle = Lifecycle()
        lifecycle.shutDown(now: start)
        #expect(lifecycle.verdict(now: start, work()) == .run(until: start + .seconds(2)))
        #expect(lifecycle.verdict(now: start + .seconds(2), work()) == .exit)
    }

    @Test func `shutdown, then a signal: the grace counts`() {
        var lifecycle = Lifecycle()
        lifecycle.shutDown(now: start)
        #expect(!lifecycle.isEnding)
        lifecycle.inputEnded(.endOfInput)
        #expect(!lifecycle.isEnding, "the stop descriptors are still to be watched")
        lifecycle.terminate(by: 9, now: start + .seconds(5))
        #expect(lifecycle.isEnding)
        #expect(lifecycle.verdict(now: start + .seconds(5), work(inFlight: 1)) == .run(until: start + .seconds(6)))
        #expect(lifecycle.verdict(now: start + .seconds(6), work(inFlight: 1)) == .refuseInFlight)
    }
}
