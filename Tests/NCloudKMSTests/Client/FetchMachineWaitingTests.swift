import KMSPlatform
import Testing

@testable import NCloudKMS

/// What a call waits for before an attempt, and what it hears when its time ends meanwhile.
@Suite struct FetchMachineWaitingTests {
    // MARK: Connections

    @Test func `no more attempts are under way than there are connections, and the first come is the first served`() {
        let script = FetchScript(connections: 2)
        let started = (1...5).map { script.call("\($0)", key: "k\($0)") }
        #expect(started == [[.start(1)], [.start(2)], [], [], []])
        #expect(script.respond(2, .key()) == [.store, .tell("2", .key()), .start(3)])
        // A repeat queues up behind those who wait.
        #expect(script.respond(1, .unavailable()) == [.start(4)])
        #expect(script.respond(3, .key()) == [.store, .tell("3", .key()), .start(5)])
        #expect(script.respond(4, .key()) == [.store, .tell("4", .key()), .start(1)])
    }

    @Test func `a call that gives up frees its connection, and its place in the line`() {
        let script = FetchScript(connections: 1)
        for number in 1...4 { script.call("\(number)", key: "k\(number)") }
        #expect(script.cancel("2") == [.tell("2", .failure(.cancelled))])
        #expect(script.cancel("1") == [.tell("1", .failure(.cancelled)), .cancel(1), .start(3)])
        #expect(script.respond(3, .key()) == [.store, .tell("3", .key()), .start(4)])
    }

    @Test func `nothing is sent for a call whose time is over`() {
        let script = FetchScript(connections: 1)
        let failure = FetchScript.Answer.failure(.deadlineExceeded, "connection")
        // It was looked at late.
        #expect(script.call("late", timeout: .seconds(1), waited: .seconds(1)) == [.tell("late", failure)])
        // Its connection came late.
        script.call("0", key: "k0", timeout: .seconds(60))
        script.call("1", key: "k1", timeout: .seconds(5))
        script.call("2", key: "k2")
        script.delay(by: .seconds(5))
        #expect(script.respond(1, .key()) == [.store, .tell("0", .key()), .tell("1", failure), .start(3)])
        #expect(script.error("1")?.attempts == nil)
    }

    // MARK: Deadlines

    @Test func `a call whose time ends is told what it was doing`() {
        let script = FetchScript(ratePerKey: 1, connections: 1)
        let short = Duration.seconds(5)
        script.call("asking", timeout: short)
        script.call("at the limiter", version: 1, timeout: short)
        script.call("without a connection", key: "other", timeout: short)
        script.credentials = .awaited
        script.call("without credentials", key: "third", timeout: short)
        #expect(script.advance(by: .milliseconds(4_999)) == [])
        let steps = script.advance(by: .milliseconds(1))
        #expect(steps.count == 5)
        #expect(steps.contains(.tell("asking", .timedOut)))
        #expect(steps.contains(.cancel(1)))
        #expect(steps.contains(.tell("without a connection", .failure(.deadlineExceeded, "connection"))))
        #expect(steps.contains(.tell("without credentials", .failure(.deadlineExceeded, "credentials"))))
        // It had its turn by then.
        #expect(steps.contains(.tell("at the limiter", .failure(.deadlineExceeded, "connection"))))
        #expect(script.machine.upstream.failures == 1)
        guard case .timedOut(_, attempts: 1) = script.outcomes["asking"] else {
            Issue.record("one attempt was made")
            return
        }
    }

    @Test func `a call whose turn at the limiter moves beyond its time is told so`() {
        let script = FetchScript(ratePerKey: 2)
        script.call("a")
        script.call("b", version: 1)
        #expect(script.call("c", version: 2, timeout: .milliseconds(1_200)) == [])
        // Its turn was to come after a second. Now the rate is 1 a second, from the slot on that is taken already.
        script.respond(1, .throttled())
        #expect(script.advance(by: .milliseconds(1_199)) == [.start(2)])
        let failure = FetchScript.Answer.failure(.deadlineExceeded, "rate-limiter")
        #expect(script.advance(by: .milliseconds(1)) == [.tell("c", failure)])
    }

    @Test func `who hears of a failure in the moment in which its time ends hears of its time`() {
        let script = FetchScript()
        script.call("short", timeout: .seconds(1))
        script.call("long")
        script.delay(by: .seconds(1))
        let steps = script.respond(1, .gone)
        #expect(
            steps == [
                .tell("short", .failure(.deadlineExceeded, "answer")), .note(.keyNotFound),
                .tell("long", .failure(.keyNotFound)),
            ])
        #expect(script.error("short")?.attempts == 1)
        #expect(script.machine.upstream.failures == 1)
    }

    @Test func `a failure that nobody waits for any more is not repeated`() {
        let script = FetchScript()
        script.call("a", timeout: .seconds(1))
        script.delay(by: .seconds(1))
        #expect(script.respond(1, .unavailable()) == [.tell("a", .failure(.deadlineExceeded, "answer"))])
        #expect(script.machine.upstream.failures == 1)
        #expect(script.quota == 500)
    }

    @Test func `an answer that comes in the moment in which the time ends is given`() {
        let script = FetchScript()
        script.call("a", timeout: .seconds(1))
        script.delay(by: .seconds(1))
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
    }

    @Test func `a fetch goes on until the latest of its callers' deadlines`() {
        let script = FetchScript()
        script.call("1", timeout: .seconds(1))
        script.call("5", timeout: .seconds(5))
        script.call("3", timeout: .seconds(3))
        #expect(script.oversleep(for: .seconds(4)) == [.tell("1", .timedOut), .tell("3", .timedOut)])
        #expect(script.advance(by: .seconds(1)) == [.tell("5", .timedOut), .cancel(1)])
        #expect(script.machine.upstream.failures == 1)
        #expect(script.machine.nextDue(now: script.now) == nil)
    }

    // MARK: The rate limiter

    @Test func `a call that the limiter can't admit in time fails at once`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("0")
        script.respond(1, .key())
        let refusal = FetchScript.Answer.failure(.rateLimited, "local-limit")
        #expect(script.call("refused", timeout: .seconds(1)) == [.tell("refused", refusal)])
        #expect(script.error("refused")?.retryAfter == .seconds(1))
        #expect(script.error("refused")?.attempts == nil)

        // One that it can admit waits, with those that share its fetch.
        for number in 1...10 { #expect(script.call("\(number)", maxAge: .zero) == []) }
        #expect(script.machine.limiterWaiting == 1)
        #expect(script.call("short", timeout: .milliseconds(500)) == [.tell("short", refusal)])
        #expect(script.advance(by: .milliseconds(999)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(2)])
        #expect(script.respond(2, .key()) == [.store] + (1...10).map { .tell("\($0)", .key()) })
    }

    @Test func `a call that gives up frees its place at the limiter`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("0")
        script.call("1", version: 1)
        script.call("2", version: 2)
        #expect(script.machine.limiterWaiting == 2)
        #expect(script.cancel("1") == [.tell("1", .failure(.cancelled))])
        #expect(script.machine.limiterWaiting == 1)
        #expect(script.advance(by: .seconds(1)) == [.start(3)])
    }

    @Test func `a repeat waits for its turn at the limiter, and is refused with how the last attempt failed`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("a", timeout: .milliseconds(900))
        let failure = FetchScript.Answer.failure(.serviceUnavailable, "deadline")
        #expect(script.respond(1, .unavailable()) == [.note(.serviceUnavailable), .tell("a", failure)])
        #expect(script.error("a")?.retryAfter == .seconds(1))
        #expect(script.quota == 500)

        script.advance(by: .seconds(1))
        script.call("b")
        #expect(script.respond(2, .unavailable()) == [])
        #expect(script.call("c", timeout: .milliseconds(900)) == [.tell("c", failure)])
        #expect(script.advance(by: .seconds(1)) == [.start(2)])
    }

    @Test func `the limit of all keys together holds, too`() {
        let script = FetchScript(totalRate: 1)
        #expect(script.call("0", key: "k0") == [.start(1)])
        #expect(script.call("1", key: "k1") == [])
        #expect(script.call("2", key: "k2") == [])
        #expect(script.advance(by: .seconds(1)) == [.start(2)])
        #expect(script.advance(by: .seconds(1)) == [.start(3)])
    }

    // MARK: Credentials

    @Test func `calls wait for the metadata service together and go on in their order`() {
        let script = FetchScript(connections: 2)
        script.credentials = .awaited
        #expect(script.call("a", key: "k1") == [])
        #expect(script.call("b", key: "k2") == [])
        #expect(script.call("c", key: "k1") == [])
        #expect(script.call("d", key: "k3") == [])
        #expect(script.machine.coalesced == 1)
        #expect(script.cancel("d") == [.tell("d", .failure(.cancelled))])
        #expect(script.credentialsArrive(.found(FetchScript.keyPair("A"))) == [.start(1), .start(2)])
        #expect(script.call("e", key: "k1") == [])
        #expect(script.credentialsArrive(.found(FetchScript.keyPair("A"))) == [])
    }

    @Test func `calls that wait for credentials fail if there are none`() {
        let script = FetchScript()
        script.credentials = .awaited
        script.call("a")
        script.call("b")
        let unavailable = FetchMachine.CredentialAnswer.unavailable(.credentialsUnavailable(looked: ["here"]))
        let failure = FetchScript.Answer.failure(.credentialsUnavailable)
        #expect(script.credentialsArrive(unavailable) == [.tell("a", failure), .tell("b", failure)])
        #expect(script.call("c") == [.tell("c", failure)])
        #expect(script.error("c")?.attempts == nil)
        #expect(script.machine.upstream.attempts == 0)
    }

    @Test func `a question that is asked again is waited for again`() {
        let script = FetchScript()
        script.credentials = .awaited
        script.call("a")
        #expect(script.credentialsArrive(.awaited) == [])
        #expect(script.credentialsArrive(.found(FetchScript.keyPair("A"))) == [.start(1)])
    }

    @Test func `a repeat uses what credentials there are by then`() {
        let script = FetchScript()
        script.call("a")
        script.credentials = .found(FetchScript.keyPair("B"))
        #expect(script.respond(1, .unavailable()) == [.start(1)])
        #expect(script.departures[1]?.credentials.identity == FetchScript.keyPair("B").identity)
        #expect(script.call("b") == [])
        script.credentials = .unavailable(.credentialsUnavailable(looked: []))
        let failure = FetchScript.Answer.failure(.credentialsUnavailable)
        let steps = script.respond(1, .unavailable())
        #expect(steps == [.note(.credentialsUnavailable), .tell("a", failure), .tell("b", failure)])
        #expect(script.error("a")?.attempts == 2)
        // The second retry was not sent; the first was.
        #expect(script.quota == 486)
    }

    @Test func `a repeat that waits for credentials is shared by calls that wait for them, too`() {
        let script = FetchScript()
        script.call("a")
        script.credentials = .awaited
        #expect(script.respond(1, .unavailable()) == [])
        #expect(script.call("b") == [])
        #expect(script.credentialsArrive(.found(FetchScript.keyPair("B"))) == [.start(1)])
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key()), .tell("b", .key())])
    }

    @Test func `attempts wait for their owner's time, and go out in order unless nobody wants them`() {
        let script = FetchScript(connections: 3)
        script.carriesOut = false
        for name in ["a", "b", "c", "d"] { script.call(name, key: name) }
        #expect(script.cancel("b").isEmpty)
        script.carriesOut = true
        #expect(
            script.carryOut() == [.tell("b", .failure(.cancelled)), .start(1), .start(3), .start(4)],
            "what is to be told goes first, and the connection of the second is the fourth's")
        let hasMore = script.machine.hasDepartures
        #expect(!hasMore)
    }

    @Test func `without a descriptor for its connection an attempt waits for that of another, and costs nothing`() {
        let script = FetchScript(connections: 4)
        for name in ["a", "b", "c"] { script.call(name, key: name) }
        #expect(script.respond(2, .noDescriptor).isEmpty)
        #expect(script.respond(3, .noDescriptor).isEmpty)
        #expect(script.machine.upstream.attempts == 1)
        #expect(script.call("d", key: "d").isEmpty)
        #expect(script.call("young", key: "b", maxAge: .zero).isEmpty, "nothing was sent, so that it can join")
        #expect(script.machine.coalesced == 1)
        #expect(script.log.count == 1)
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key()), .start(2), .start(3), .start(4)])
        #expect(script.quota == RetryQuota.capacity)
        for (fetch, name) in [(4, "d"), (3, "c")] {
            #expect(script.respond(fetch, .key()) == [.store, .tell(name, .key())])
        }
        #expect(script.respond(2, .key()) == [.store, .tell("b", .key()), .tell("young", .key())])
        #expect(script.machine.upstream.failures == 0)
    }

    @Test func `without a descriptor and without another attempt a fetch is repeated later`() {
        let script = FetchScript(attempts: 2)
        script.call("a")
        #expect(script.respond(1, .noDescriptor) == [.start(1)])
        #expect(script.quota == RetryQuota.capacity - RetryQuota.retryCost)
        #expect(
            script.respond(1, .noDescriptor) == [
                .note(.serviceUnavailable), .tell("a", .failure(.serviceUnavailable, "attempts")),
            ])
    }

    @Test func `what found no descriptor need not have a new connection, as there is none`() {
        let script = FetchScript(connections: 2)
        script.call("a", key: "a")
        script.call("b", key: "b")
        #expect(script.respond(1, .deadConnection) == [.start(1)])
        #expect(script.departures[1]?.needsNewConnection == true)
        #expect(script.respond(1, .noDescriptor).isEmpty)
        #expect(script.respond(2, .key()) == [.store, .tell("b", .key()), .start(1)])
        #expect(script.departures[1]?.needsNewConnection == false)
    }

    @Test func `an attempt is signed with the clock of the moment when it is sent`() {
        let script = FetchScript(connections: 2)
        script.call("a", key: "a")
        script.sendsAtOnce = false
        script.call("b", key: "b")
        #expect(script.respond(1, .refused(clock: .seconds(360))).isEmpty)
        #expect(script.sendNext() == [.start(2)])
        #expect(script.departures[2]?.clockOffset == .seconds(360))
    }

    @Test func `a call that can't wait for the limiter's turn after a failure is told at once`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("other")
        script.call("long", version: 1, timeout: .seconds(30))
        script.call("short", version: 1, timeout: .milliseconds(900))
        #expect(script.error("short")?.code == .rateLimited)
    }
}
