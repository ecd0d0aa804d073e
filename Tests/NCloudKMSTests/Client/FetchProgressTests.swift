import KMSPlatform
import Testing

@testable import NCloudKMS

/// What a call is told while it waits, if it wants to know.
@Suite struct FetchProgressTests {
    @Test func `each attempt that is not the first is reported when it begins`() {
        let script = FetchScript()
        #expect(script.call("a", wantsProgress: true) == [.start(1)])
        #expect(script.respond(1, .unavailable()) == [.start(1), .report("a", .attempt(2))])
        #expect(script.respond(1, .unavailable()) == [.start(1), .report("a", .attempt(3))])
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
    }

    @Test func `a call that needs one attempt at once hears nothing but its outcome`() {
        let script = FetchScript()
        #expect(script.call("a", wantsProgress: true) == [.start(1)])
        #expect(script.respond(1, .key()) == [.store, .tell("a", .key())])
    }

    @Test func `only those that want to know are told, and those that have joined as well`() {
        let script = FetchScript()
        script.call("a")
        script.call("b", wantsProgress: true)
        script.call("c", wantsProgress: true)
        #expect(script.cancel("c") == [.tell("c", .failure(.cancelled))])
        #expect(script.respond(1, .unavailable()) == [.start(1), .report("b", .attempt(2))])
    }

    @Test func `waiting for the limiter is reported, also to a call that joins meanwhile`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("first", version: 1)
        #expect(script.call("a", version: 2, wantsProgress: true) == [.report("a", .waitingForLimiter)])
        #expect(script.call("b", version: 2, wantsProgress: true) == [.report("b", .waitingForLimiter)])
        #expect(script.advance(by: .seconds(1)) == [.start(2)])
    }

    @Test func `waiting for the limiter is reported again after an attempt`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("first", version: 1)
        #expect(script.call("a", version: 2, wantsProgress: true) == [.report("a", .waitingForLimiter)])
        #expect(script.advance(by: .seconds(1)) == [.start(2)])
        let steps = script.respond(2, .throttled())
        #expect(steps == [.report("a", .waitingForLimiter)])
    }

    @Test func `a call that will not be admitted in time hears that alone`() {
        let script = FetchScript(ratePerKey: 1)
        script.call("first", version: 1)
        let steps = script.call("a", version: 2, timeout: .milliseconds(100), wantsProgress: true)
        #expect(steps == [.tell("a", .failure(.rateLimited, "local-limit"))])
    }
}
