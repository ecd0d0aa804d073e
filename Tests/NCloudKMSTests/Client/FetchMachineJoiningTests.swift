import KMSPlatform
import Testing

@testable import NCloudKMS

/// Who shares a fetch, and how long it lives.
@Suite struct FetchMachineJoiningTests {
    @Test func `256 equal calls at once are one fetch`() {
        let script = FetchScript()
        #expect(script.call("0") == [.start(1)])
        for number in 1..<256 { #expect(script.call("\(number)") == []) }
        #expect(script.respond(1, .key()) == [.store] + (0..<256).map { .tell("\($0)", .key()) })
        #expect(script.machine.coalesced == 255)
        #expect(script.machine.upstream.attempts == 1)
        // It has ended: the next call begins another.
        #expect(script.call("later") == [.start(2)])
    }

    static let ages: [(Duration?, Duration, Bool)] = [
        (nil, .seconds(300), true), (nil, .seconds(301), false), (.seconds(5), .seconds(5), true),
        (.seconds(5), .seconds(6), false), (.zero, .zero, false), (.zero, .nanoseconds(1), false),
        (.seconds(1_000), .seconds(301), false),
    ]

    @Test(arguments: ages)
    func `a fetch is joined if its answer will be young enough`(
        maximumAge: Duration?, sinceStart: Duration, isJoined: Bool
    ) {
        let script = FetchScript()
        #expect(script.call("first", timeout: .seconds(1_000)) == [.start(1)])
        script.advance(by: sinceStart)
        #expect(script.call("second", maxAge: maximumAge) == (isJoined ? [] : [.start(2)]))
        #expect(script.machine.coalesced == (isJoined ? 1 : 0))
    }

    @Test func `a fetch that waits to be sent is shared by calls that want the newest`() {
        let script = FetchScript(connections: 1)
        script.call("other", key: "other")
        #expect(script.call("0", maxAge: .zero) == [])
        script.advance(by: .seconds(10))
        #expect(script.call("1", maxAge: .zero) == [])
        script.advance(by: .seconds(10))
        #expect(script.respond(1, .key()) == [.store, .tell("other", .key()), .start(2)])
        // It started after this call arrived, which was looked at late.
        script.delay(by: .seconds(1))
        #expect(script.call("2", maxAge: .zero, waited: .seconds(2)) == [])
        #expect(script.call("3", maxAge: .zero, waited: .seconds(1)) == [])
        #expect(script.respond(2, .key()).count == 5)
        #expect(script.machine.coalesced == 2)
    }

    @Test func `of several fetches the newest is joined`() {
        let script = FetchScript()
        script.call("0")
        script.advance(by: .seconds(1))
        #expect(script.call("1", maxAge: .zero) == [.start(2)])
        #expect(script.call("2") == [])
        #expect(script.respond(2, .key()) == [.store, .tell("1", .key()), .tell("2", .key())])
        #expect(script.call("3") == [])
        #expect(script.respond(1, .key()) == [.store, .tell("0", .key()), .tell("3", .key(age: .seconds(1)))])
    }

    @Test func `of three fetches any may end first`() {
        for first in 1...3 {
            let script = FetchScript()
            for number in 1...3 { #expect(script.call("\(number)", maxAge: .zero) == [.start(number)]) }
            #expect(script.respond(first, .key()) == [.store, .tell("\(first)", .key())])
            for newest in [3, 2, 1] where newest != first {
                #expect(script.call("joins \(newest)") == [])
                #expect(
                    script.respond(newest, .key()) == [
                        .store, .tell("\(newest)", .key()), .tell("joins \(newest)", .key()),
                    ])
            }
            #expect(script.call("last") == [.start(4)])
        }
    }

    @Test func `keys, versions and credentials do not share`() {
        let script = FetchScript()
        #expect(script.call("0") == [.start(1)])
        #expect(script.call("1", key: "other") == [.start(2)])
        #expect(script.call("2", version: 1) == [.start(3)])
        script.credentials = .found(FetchScript.keyPair("B"))
        #expect(script.call("3") == [.start(4)])
        #expect(script.machine.coalesced == 0)
        #expect(script.departures[4]?.credentials.abbreviatedAccessKeyID == "ACCE…")
        script.respond(4, .key())
        #expect(script.stored.map(\.identity) == [FetchScript.keyPair("B").identity])
    }

    // MARK: Ages

    @Test func `an answer is as old as the first request, and a repeat makes it no younger`() {
        let script = FetchScript()
        let start = script.now
        script.call("first")
        script.advance(by: .seconds(9))
        #expect(script.respond(1, .unavailable()) == [.start(1)])
        #expect(script.call("joined") == [])
        script.advance(by: .seconds(1))
        #expect(script.respond(1, .key()) == [.store, .tell("first", .key()), .tell("joined", .key(age: .seconds(9)))])
        #expect(script.stored.map(\.fetchStart) == [start])
        #expect(script.stored.map(\.fetched.attempts) == [2])
        #expect(script.stored.map(\.fetched.requestID) == ["request-1"])
    }

    @Test func `a call that arrived before the fetch started gets an age of zero`() {
        let script = FetchScript()
        script.call("late", waited: .seconds(3))
        script.advance(by: .seconds(1))
        #expect(script.respond(1, .key()) == [.store, .tell("late", .key(age: .zero))])
    }

    // MARK: Leaving

    @Test func `only the last caller to leave aborts the fetch, and nobody joins it then`() {
        let script = FetchScript()
        script.call("first")
        script.call("second")
        #expect(script.cancel("first") == [.tell("first", .failure(.cancelled))])
        #expect(script.cancel("first") == [])
        #expect(script.cancel("second") == [.tell("second", .failure(.cancelled)), .cancel(1)])
        #expect(script.machine.upstream.failures == 0)
        #expect(script.call("third") == [.start(2)])
    }

    @Test func `a caller that joined does not fail when the first caller's time ends`() {
        let script = FetchScript()
        script.call("short", timeout: .milliseconds(100))
        script.call("long")
        #expect(script.advance(by: .milliseconds(100)) == [.tell("short", .timedOut)])
        #expect(script.machine.upstream.failures == 0)
        #expect(script.respond(1, .key()) == [.store, .tell("long", .key())])
    }

    @Test func `a call that has ended can't be cancelled`() {
        let script = FetchScript()
        script.call("0")
        script.respond(1, .key())
        #expect(script.cancel("0") == [])
        // The next call has its slots.
        script.call("1")
        #expect(script.cancel("0") == [])
    }

    @Test func `a fetch that is abandoned before its owner came to send it is not sent`() {
        let script = FetchScript(connections: 1)
        script.carriesOut = false
        script.call("0")
        #expect(script.cancel("0") == [])
        script.carriesOut = true
        #expect(script.carryOut() == [.tell("0", .failure(.cancelled))])
        #expect(script.machine.upstream.attempts == 0)
        #expect(script.call("1") == [.start(2)])
    }

    // MARK: Refresh

    @Test func `a refresh needs no caller and is made once`() {
        let script = FetchScript()
        #expect(script.refresh() == [.start(1)])
        #expect(script.refresh() == [])
        #expect(script.refresh(version: 1) == [.start(2)])
        #expect(script.respond(1, .key()) == [.store])
        #expect(script.machine.coalesced == 0)
        #expect(script.refresh() == [.start(3)])
    }

    @Test func `a fetch under way is as good as a refresh`() {
        let script = FetchScript()
        script.call("0")
        #expect(script.refresh() == [])
        #expect(script.respond(1, .key()) == [.store, .tell("0", .key())])
    }

    @Test func `a call joins a refresh, and leaves it without harm`() {
        let script = FetchScript()
        script.refresh()
        #expect(script.call("0") == [])
        #expect(script.machine.coalesced == 1)
        #expect(script.cancel("0") == [.tell("0", .failure(.cancelled))])
        #expect(script.call("1") == [])
        #expect(script.respond(1, .key()) == [.store, .tell("1", .key())])
    }

    @Test func `a refresh that fails tells nobody`() {
        let script = FetchScript(attempts: 1)
        script.refresh()
        #expect(script.respond(1, .gone) == [.note(.keyNotFound)])
        script.refresh()
        #expect(script.respond(2, .unavailable()) == [.note(.serviceUnavailable)])
        script.credentials = .unavailable(.credentialsUnavailable(looked: []))
        #expect(script.refresh() == [])
        #expect(script.machine.upstream.failures == 2)
    }

    @Test func `a refresh ends at its own deadline`() {
        let script = FetchScript()
        script.refresh()
        #expect(script.advance(by: .seconds(30) - .nanoseconds(1)) == [])
        #expect(script.advance(by: .nanoseconds(1)) == [.cancel(1)])
        #expect(script.machine.upstream.failures == 1)
        #expect(script.machine.nextDue(now: script.now) == nil)
    }

    @Test func `a refresh that waits for its turn is not sent after its own deadline`() {
        // For a connection.
        let connection = FetchScript(connections: 1)
        connection.call("0", key: "other", timeout: .seconds(60))
        #expect(connection.refresh() == [])
        connection.advance(by: .seconds(40))
        #expect(connection.respond(1, .key()) == [.store, .tell("0", .key())])
        // At the limiter, where the queue gets longer as the service throttles.
        let limiter = FetchScript(ratePerKey: 3, connections: 100)
        for version in 1...88 { limiter.call("\(version)", version: version, timeout: .seconds(300)) }
        #expect(limiter.refresh() == [])
        #expect(limiter.machine.limiterWaiting == 88)
        // Its turn was to come after 29⅓ s. Then the service throttles, and it would come later.
        limiter.respond(1, .throttled())
        limiter.advance(by: .seconds(300))
        #expect(limiter.departures.count == 88)
        #expect(limiter.machine.fetches.ids.isEmpty)
    }

    @Test func `a refresh goes on after its deadline for a call that joined, and ends with that`() {
        let script = FetchScript()
        script.refresh()
        script.advance(by: .seconds(20))
        script.call("0")
        #expect(script.advance(by: .seconds(15)) == [])
        #expect(script.call("1", timeout: .seconds(5)) == [])
        #expect(script.cancel("0") == [.tell("0", .failure(.cancelled))])
        #expect(script.advance(by: .seconds(5)) == [.tell("1", .timedOut), .cancel(1)])
    }

    // MARK: Shutdown

    @Test func `shutting down ends every call wherever it stands`() {
        let script = FetchScript(ratePerKey: 1, connections: 1)
        script.call("under way")
        script.call("joined")
        script.call("at the limiter", version: 1)
        script.call("without a connection", key: "other")
        script.refresh(key: "refreshed")
        script.credentials = .awaited
        script.call("without credentials", key: "third")
        let names = ["under way", "joined", "at the limiter", "without a connection", "without credentials"]
        let steps = script.shutDown()
        #expect(steps.count == names.count + 1)
        for name in names { #expect(steps.contains(.tell(name, .failure(.shuttingDown)))) }
        #expect(steps.contains(.cancel(1)))
        #expect(script.error("joined")?.isRetryable == true)
        #expect(script.machine.nextDue(now: script.now) == nil)
        #expect(script.machine.fetches.ids.isEmpty)
    }
}
