import KMSPlatform
import Testing

@testable import NCloudKMS

/// What a refusal of credentials (1002) leads to: another time to sign with, other credentials, or the end.
@Suite struct FetchMachineRefusalTests {
    // MARK: The clock

    @Test(arguments: [Duration.seconds(360), .seconds(-360)])
    func `a skewed clock costs one attempt more, once, and no quota`(skew: Duration) {
        let script = FetchScript(attempts: 1)
        script.call("a")
        #expect(script.respond(1, .refused(clock: skew)) == [.start(1)])
        #expect(script.departures[1]?.clockOffset == skew)
        #expect(script.respond(1, .key(clock: skew)) == [.store, .tell("a", .key())])
        #expect(script.call("b") == [.start(2)])
        #expect(script.departures[2]?.clockOffset == skew)
        #expect(script.machine.clockOffset == skew)
        #expect(script.quota == 500)
        #expect(script.machine.upstream.retries == 1)
        #expect(script.log.count == 1)
        guard case .clockDiffers(by: skew) = script.log.last?.event else {
            Issue.record("not logged")
            return
        }
    }

    @Test func `attempts that were signed before the correction are repeated, and it is logged once`() {
        let script = FetchScript()
        script.call("a", key: "k1")
        script.call("b", key: "k2")
        #expect(script.respond(1, .refused(clock: .seconds(360))) == [.start(1)])
        #expect(script.respond(2, .refused(clock: .seconds(360))) == [.start(2)])
        #expect(script.log.count == 1)
        // Once: the clock is not to blame for what comes after.
        let steps = script.respond(2, .refused(clock: .seconds(720)))
        #expect(steps == [.note(.authenticationFailed), .tell("b", .failure(.authenticationFailed))])
        #expect(script.error("b")?.attempts == 2)
    }

    @Test func `a clock that is right again is noticed by any answer, and logged`() {
        let script = FetchScript()
        script.call("a")
        script.respond(1, .refused(clock: .seconds(360)))
        script.respond(1, .unavailable())
        #expect(script.machine.clockOffset == .seconds(360))
        script.respond(1, .key(clock: .seconds(3)))
        #expect(script.machine.clockOffset == .zero)
        guard case .clockDiffers(by: .zero) = script.log.last?.event else {
            Issue.record("not logged")
            return
        }
    }

    @Test func `a refusal without a usable date is not blamed on the clock`() {
        for reply in [Reply.refused(), .refused(clock: .seconds(180)), .refused(clock: .seconds(360), age: "5")] {
            let script = FetchScript()
            script.call("a")
            let steps = script.respond(1, reply)
            #expect(steps == [.note(.authenticationFailed), .tell("a", .failure(.authenticationFailed))])
            #expect(script.machine.clockOffset == .zero)
        }
        let uncorrected = FetchScript(correctsClock: false)
        uncorrected.call("a")
        #expect(uncorrected.respond(1, .refused(clock: .seconds(360))).count == 2)
        #expect(uncorrected.machine.clockOffset == .zero)
    }

    @Test func `a refused token is not blamed on the clock`() throws {
        let script = FetchScript()
        script.credentials = .found(try Credentials(token: SecretBytes("TOKEN".utf8)))
        script.call("a")
        #expect(script.respond(1, .refused(clock: .seconds(360))).last == .tell("a", .failure(.authenticationFailed)))
        #expect(script.machine.clockOffset == .zero)
        #expect(script.error("a")?.attempts == 1)
    }

    // MARK: Refused credentials

    @Test func `other credentials are tried once`() {
        let script = FetchScript()
        script.call("a")
        script.others = FetchScript.keyPair("B")
        #expect(script.respond(1, .refused()) == [.start(1)])
        #expect(script.departures[1]?.credentials.identity == FetchScript.keyPair("B").identity)
        guard case .reauthenticated = script.log.last?.event else {
            Issue.record("not logged")
            return
        }
        // Who has the new ones shares it now.
        script.credentials = .found(FetchScript.keyPair("B"))
        #expect(script.call("b") == [])
        script.others = FetchScript.keyPair("C")
        let failure = FetchScript.Answer.failure(.authenticationFailed)
        #expect(
            script.respond(1, .refused())
                == [.note(.authenticationFailed), .tell("a", failure), .tell("b", failure)])
        #expect(script.refused == [FetchScript.keyPair("A").identity, FetchScript.keyPair("B").identity])
        #expect(script.error("a")?.attempts == 2)
        #expect(script.error("a")?.isRetryable == false)
        #expect(script.quota == 500)
    }

    @Test func `the answer to other credentials is theirs`() {
        let script = FetchScript()
        script.call("a")
        script.others = FetchScript.keyPair("B")
        script.respond(1, .refused())
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
        #expect(script.stored.map(\.identity) == [FetchScript.keyPair("B").identity])
    }

    @Test func `without others a refusal is final`() {
        let script = FetchScript()
        script.call("a")
        let steps = script.respond(1, .refused())
        #expect(steps == [.note(.authenticationFailed), .tell("a", .failure(.authenticationFailed))])
        #expect(script.refused == [FetchScript.keyPair("A").identity])
    }

    @Test func `the clock and the credentials may both be wrong`() {
        let script = FetchScript(attempts: 1)
        script.call("a")
        script.others = FetchScript.keyPair("B")
        #expect(script.respond(1, .refused(clock: .seconds(360))) == [.start(1)])
        #expect(script.respond(1, .refused(clock: .seconds(360))) == [.start(1)])
        #expect(script.respond(1, .key(clock: .seconds(360))) == [.store, .tell("a", .key())])
        #expect(script.stored.map(\.fetched.attempts) == [3])
    }

    @Test func `a repeat that the limiter can't admit in time is told as such, not as what was put right`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("a", timeout: .milliseconds(500))
        let steps = script.respond(1, .refused(clock: .seconds(360)))
        #expect(steps == [.note(.rateLimited), .tell("a", .failure(.rateLimited, "local-limit"))])
        #expect(script.error("a")?.retryAfter == .seconds(1))
        #expect(script.error("a")?.attempts == 1)
    }

    @Test func `quotation marks around a refused key are pointed out`() throws {
        let script = FetchScript()
        script.credentials = .found(
            try Credentials(accessKeyID: "\"ACCESS\"", secretAccessKey: SecretBytes("SECRET".utf8)))
        script.call("a")
        script.respond(1, .refused())
        #expect(script.error("a")?.message.contains("quotation marks") == true)
    }
}
