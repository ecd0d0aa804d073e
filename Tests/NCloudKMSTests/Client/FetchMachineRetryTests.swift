import KMSPlatform
import Testing

@testable import NCloudKMS

/// Repeats, throttling, and what the log says of them.
@Suite struct FetchMachineRetryTests {
    /// So that a delay is its bound, less a nanosecond or so.
    private static let longest: @Sendable () -> Double = { 0.999_999_9 }

    private func script(attempts: Int = 3, connections: Int = 32, ratePerKey: Int = 0) -> FetchScript {
        FetchScript(ratePerKey: ratePerKey, connections: connections, attempts: attempts, random: Self.longest)
    }

    // MARK: Attempts

    @Test func `a service that fails is asked three times, after 50 and 100 ms`() {
        let script = script()
        #expect(script.call("a") == [.start(1)])
        #expect(script.respond(1, .unavailable()) == [])
        #expect(script.quota == 486)
        #expect(script.advance(by: .milliseconds(49)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
        #expect(script.respond(1, .unavailable()) == [])
        #expect(script.quota == 472)
        #expect(script.advance(by: .milliseconds(99)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
        let last = script.respond(1, .unavailable())
        #expect(last == [.note(.serviceUnavailable), .tell("a", .failure(.serviceUnavailable, "attempts"))])
        #expect(script.error("a")?.attempts == 3)
        #expect(script.error("a")?.httpStatus == 503)
        let upstream = script.machine.upstream
        #expect(upstream.attempts == 3 && upstream.retries == 2 && upstream.failures == 3 && upstream.throttled == 0)
    }

    @Test func `a success gives back what the last retry took`() {
        let script = script()
        script.call("a")
        script.respond(1, .unavailable())
        script.advance(by: .milliseconds(50))
        script.respond(1, .unavailable())
        #expect(script.quota == 472)
        script.advance(by: .milliseconds(99))
        #expect(script.quota == 473)
        script.advance(by: .milliseconds(1))
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
        #expect(script.quota == 473 + 14)
        #expect(script.stored.map(\.fetched.attempts) == [3])
    }

    static let hints: [(String?, Duration)] = [
        (nil, .milliseconds(50)), ("1", .seconds(1)), ("10", .milliseconds(5_050)), ("0", .milliseconds(50)),
        ("-5", .milliseconds(50)), ("1.5", .milliseconds(50)), ("99999999999", .milliseconds(50)),
        ("rubbish", .milliseconds(50)), ("Thu, 01 Jan 2026 12:00:02 GMT", .seconds(2)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", .milliseconds(50)),
    ]

    @Test(arguments: hints)
    func `the next attempt comes when the service asks for it, within bounds`(hint: String?, delay: Duration) {
        let script = script()
        script.call("a")
        #expect(script.respond(1, .unavailable(retryAfter: hint)) == [])
        #expect(script.advance(by: delay - .milliseconds(1)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
    }

    @Test func `a retry that would come after the deadline is not waited for`() {
        let script = script()
        script.call("a", timeout: .milliseconds(40))
        let steps = script.respond(1, .unavailable())
        #expect(steps == [.note(.serviceUnavailable), .tell("a", .failure(.serviceUnavailable, "deadline"))])
        #expect(script.error("a")?.attempts == 1)
        #expect(script.error("a")?.retryAfter.map { $0 > .milliseconds(49) && $0 < .milliseconds(51) } == true)
        #expect(script.quota == 500)
    }

    @Test func `a retry is made as long as the last of the callers waits`() {
        let script = script()
        script.call("short", timeout: .milliseconds(40))
        script.call("long", timeout: .milliseconds(60))
        #expect(script.respond(1, .unavailable()) == [.tell("short", .failure(.serviceUnavailable, "deadline"))])
        #expect(script.advance(by: .milliseconds(45)) == [])
        #expect(script.advance(by: .milliseconds(5)) == [.start(1)])
        #expect(script.respond(1, .key()) == [.store, .tell("long", .key())])
    }

    @Test func `the quota pays for 35 retries, and refills by itself`() {
        let script = FetchScript()
        for number in 1...40 {
            var steps = script.call("\(number)", key: "k\(number)")
            while steps == [.start(number)] { steps = script.respond(number, .unavailable()) }
            let reason = number <= 17 ? "attempts" : "quota"
            #expect(steps.last == .tell("\(number)", .failure(.serviceUnavailable, reason)))
            #expect(script.error("\(number)")?.attempts == (number <= 17 ? 3 : number == 18 ? 2 : 1))
        }
        #expect(script.machine.upstream.attempts == 40 + 35)
        #expect(script.quota == 10)
        script.call("answered")
        script.respond(41, .key())
        #expect(script.quota == 11)
        script.advance(by: .milliseconds(48_900))
        #expect(script.quota == 500)
    }

    @Test func `a damaged answer is asked for again once`() {
        let script = FetchScript()
        script.call("a")
        #expect(script.respond(1, .damaged) == [.start(1)])
        let steps = script.respond(1, .damaged)
        #expect(
            steps == [.note(.invalidServiceResponse), .tell("a", .failure(.invalidServiceResponse, "attempts"))])
    }

    static let finalAnswers: [(KMSError.Code, Int)] = [
        (.permissionDenied, 403), (.keyNotFound, 404), (.keyUnusable, 422), (.quotaExceeded, 429),
        (.requestRejected, 400),
    ]

    @Test(arguments: finalAnswers)
    func `what would be answered the same again is not repeated`(code: KMSError.Code, status: Int) {
        let script = FetchScript()
        script.call("a")
        script.call("b")
        let steps = script.respond(1, .failure(code, status: status, retryAfter: "7"))
        #expect(steps == [.note(code), .tell("a", .failure(code)), .tell("b", .failure(code))])
        #expect(script.error("a")?.retryAfter == nil)
        #expect(script.quota == 500)
    }

    @Test func `a repeat after a dead connection goes out on a new one`() {
        let script = FetchScript()
        script.call("a")
        #expect(script.departures[1]?.needsNewConnection == false)
        #expect(script.departures[1]?.hasAnotherAttempt == true)
        #expect(script.respond(1, .deadConnection) == [.start(1)])
        #expect(script.departures[1]?.needsNewConnection == true)
        #expect(script.respond(1, .unavailable()) == [.start(1)])
        #expect(script.departures[1]?.needsNewConnection == false)
        #expect(script.departures[1]?.hasAnotherAttempt == false)
    }

    @Test func `an attempt that can't be signed ends the fetch and frees its connection`() {
        let script = FetchScript(connections: 1)
        script.signingError = .signingFailed
        let failure = FetchScript.Answer.failure(.credentialsUnavailable, "signing")
        #expect(script.call("a") == [.start(1), .tell("a", failure)])
        #expect(script.error("a")?.attempts == nil)
        script.signingError = nil
        #expect(script.call("b") == [.start(2)])
        #expect(script.respond(2, .unavailable()) == [.start(2)])
        #expect(script.machine.upstream.attempts == 2)
        #expect(script.machine.upstream.failures == 1)
    }

    @Test func `a repeat that can't be signed is not sent, and its price is given back`() {
        let script = FetchScript()
        script.call("a")
        script.signingError = .signingFailed
        let failure = FetchScript.Answer.failure(.credentialsUnavailable, "signing")
        let steps = script.respond(1, .unavailable())
        #expect(steps == [.start(1), .note(.credentialsUnavailable), .tell("a", failure)])
        #expect(script.error("a")?.attempts == 1)
        #expect(script.quota == 500)
    }

    // MARK: Calls that come while a repeat is awaited

    @Test func `a call whose time ends before the repeat is told the failure at once`() {
        let script = script()
        script.call("first")
        script.respond(1, .unavailable(retryAfter: "30"))
        let failure = FetchScript.Answer.failure(.serviceUnavailable, "deadline")
        #expect(script.call("joined", timeout: .milliseconds(1)) == [.tell("joined", failure)])
        let error = script.error("joined")
        #expect(error?.httpStatus == 503)
        #expect(error?.attempts == 1)
        #expect(error?.retryAfter.map { $0 > .milliseconds(5_049) && $0 <= .milliseconds(5_050) } == true)
        #expect(script.call("patient") == [])

        // The repeat that was paid for and never sent is given back.
        #expect(script.quota == 486)
        #expect(script.cancel("first") == [.tell("first", .failure(.cancelled))])
        #expect(script.cancel("patient") == [.tell("patient", .failure(.cancelled))])
        #expect(script.quota == 500)
        #expect(script.advance(by: .seconds(60)) == [])
    }

    // MARK: Throttling

    @Test func `throttling halves a key's rate, and other keys know nothing of it`() {
        let script = FetchScript(ratePerKey: 2)
        script.call("a")
        // Repeated after the half second that a rate of 1 leaves: a random of 0 is no backoff.
        #expect(script.respond(1, .throttled()) == [])
        #expect(script.machine.limiterWaiting == 1)
        #expect(script.quota == 495)
        #expect(script.call("b", key: "other") == [.start(2)])
        #expect(script.advance(by: .milliseconds(499)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
        #expect(script.quota == 500)
        // The rate is 1 a second from here.
        #expect(script.call("c", version: 1) == [])
        #expect(script.advance(by: .milliseconds(999)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(3)])
        #expect(script.machine.upstream.throttled == 1)
    }

    @Test func `throttled attempts do not count, and only the deadline ends them`() {
        let script = script(attempts: 1)
        script.call("a", timeout: .seconds(60))
        for wait in [1, 2, 4, 8, 16] {
            #expect(script.respond(1, .throttled()) == [])
            #expect(script.advance(by: .seconds(wait)) == [.start(1)])
        }
        #expect(script.respond(1, .throttled()) == [])
        #expect(script.advance(by: .seconds(20)) == [.start(1)])
        let steps = script.respond(1, .throttled(retryAfter: "40"))
        #expect(steps == [.note(.rateLimited), .tell("a", .failure(.rateLimited, "deadline"))])
        #expect(script.error("a")?.attempts == 7)
        #expect(script.error("a")?.retryAfter == .seconds(40))
        #expect(script.machine.upstream.throttled == 7)
    }

    // MARK: The log

    @Test func `a line names the first calls that wait, and the delay`() {
        let script = script()
        for name in ["a", "b", "c"] { script.call(name) }
        script.call("", isLabelled: false)
        script.refresh()
        script.respond(1, .unavailable())
        var line = script.log[0].fetch
        #expect(line.labels == ["a", "b", "c", nil])
        #expect(!line.hasMoreCalls)
        #expect(line.attempts == 1)
        script.call("e")
        script.advance(by: .milliseconds(50))
        script.respond(1, .throttled())
        line = script.log[1].fetch
        #expect(line.labels == ["a", "b", "c", nil])
        #expect(line.hasMoreCalls)
        #expect(line.attempts == 2)
        guard case .failed(let error, let delay, isThrottled: true) = script.log[1].event else {
            Issue.record("not logged")
            return
        }
        #expect(error.code == .rateLimited)
        #expect(delay > .milliseconds(1_999) && delay < .seconds(2))
    }

    @Test func `a line about a refresh names nobody`() {
        let script = script()
        script.refresh()
        script.respond(1, .unavailable())
        #expect(script.log[0].fetch.labels == [])
        #expect(!script.log[0].fetch.hasMoreCalls)
    }

    @Test func `a call whose time ends before the next attempt is told at once`() throws {
        let script = FetchScript()
        script.call("long", timeout: .seconds(30))
        script.call("short", timeout: .seconds(3))
        script.call("shorter", timeout: .seconds(1))
        let failure = FetchScript.Answer.failure(.serviceUnavailable, "deadline")
        #expect(
            script.respond(1, .unavailable(retryAfter: "3")) == [.tell("short", failure), .tell("shorter", failure)])
        #expect(script.error("short")?.retryAfter == .seconds(3))
        #expect(script.error("short")?.attempts == 1)
        #expect(script.advance(by: .seconds(3)) == [.start(1)])
        #expect(script.respond(1, .key()) == [.store, .tell("long", .key())])
    }
}
