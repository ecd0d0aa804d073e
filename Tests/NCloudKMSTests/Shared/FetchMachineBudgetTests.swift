import KMSPlatform
import Testing

@testable import NCloudKMS

/// The budget that processes share, as the machine uses it.
@Suite struct FetchMachineBudgetTests {
    private func script(
        _ keys: SharedStateConfiguration.Keys = .off, ratePerKey: Int = 300, totalRate: Int = 0
    ) -> FetchScript {
        FetchScript(ratePerKey: ratePerKey, totalRate: totalRate, sharesKeys: keys)
    }

    /// Connected, and without a question.
    private func connectedScript(totalRate: Int = 0) -> FetchScript {
        let script = script(totalRate: totalRate)
        script.call("first", key: "first")
        script.engineConnects()
        script.engineGrants(1)
        script.respond(1, .key())
        return script
    }

    @Test func `the first fetch connects, asks, and is sent with its slot`() {
        let script = script()
        #expect(script.call("0") == [.connect])
        #expect(script.call("other", key: "other") == [])
        #expect(script.engineConnects().count == 2)
        script.engineGrants(1, first: .microseconds(-96_686))
        script.engineGrants(1, first: .microseconds(-96_686))
        #expect(script.underWay == [1, 2])
        #expect(script.machine.shared?.status.state == .connected)
    }

    @Test func `asks for as many slots as fetches wait`() {
        let script = connectedScript()
        #expect(script.call("0", version: 1) == [.ask("budget 300000 1 30000000 0")])
        for version in 2...5 { #expect(script.call("\(version)", version: version) == []) }
        #expect(script.engineGrants(1) == [.ask("budget 300000 4 30000000 0"), .start(2)])
        #expect(script.engineGrants(4, first: .milliseconds(5)) == [])
        #expect(script.advance(by: .milliseconds(5)) == [.start(3)])
        #expect(script.advance(by: .milliseconds(20)) == [.start(4), .start(5), .start(6)])
        let budget = script.machine.shared?.status.budget
        #expect(budget?.asked == 6)
        #expect(budget?.granted == 6)
    }

    @Test func `equal calls need one slot`() {
        let script = connectedScript()
        script.call("0")
        #expect(script.call("1") == [])
        #expect(script.engineGrants(1) == [.start(2)])
    }

    @Test func `without limits for keys nothing is asked`() {
        let script = script(ratePerKey: 0)
        #expect(script.call("0") == [.start(1)])
    }

    @Test func `the process's own total limit still holds`() {
        let script = connectedScript(totalRate: 1)
        #expect(script.call("0") == [.ask("budget 300000 1 30000000 0")])
        #expect(script.engineGrants(1) == [])
        #expect(script.machine.limiterWaiting == 1)
        #expect(script.advance(by: .seconds(1)) == [.start(2)])
    }

    @Test func `a call whose turn would come too late is refused at once`() throws {
        let script = connectedScript()
        script.call("short", timeout: .milliseconds(300))
        script.call("long")
        #expect(
            script.engineGrants(0, first: .milliseconds(300)) == [.tell("short", .failure(.rateLimited, "local-limit"))]
        )
        #expect(script.error("short")?.retryAfter == .milliseconds(300))
        // It asks again for the other, at once as the random number is zero.
        #expect(script.advance(by: .zero) == [.ask("budget 300000 1 30000000 0")])
        #expect(script.call("shorter", timeout: .milliseconds(100)) == [])
        #expect(
            script.engineGrants(1, first: .milliseconds(200)) == [
                .tell("shorter", .failure(.rateLimited, "local-limit"))
            ])
        #expect(script.advance(by: .milliseconds(200)) == [.start(2)])
    }

    @Test func `a slot that nobody needs any more is lost`() {
        let script = connectedScript()
        script.call("0")
        script.call("1", version: 1)
        script.engineGrants(1, first: .milliseconds(100))
        #expect(script.cancel("0") == [.tell("0", .failure(.cancelled))])
        // The next in the queue gets it.
        #expect(script.advance(by: .milliseconds(100)) == [.start(3)])
    }

    @Test func `throttling is told to the engine`() {
        let script = connectedScript()
        script.call("0")
        script.engineGrants(1)
        #expect(script.respond(2, .throttled()) == [.ask("budget 300000 0 0 1"), .ask("budget 300000 1 30000000 0")])
        script.engineGrants(0)
        #expect(script.engineGrants(1) == [.start(2)])
    }

    @Test func `a call that waits for its turn is told so once`() {
        let script = connectedScript()
        #expect(script.call("0", wantsProgress: true) == [.ask("budget 300000 1 30000000 0")])
        for round in 0..<3 {
            let steps = script.engineGrants(0, first: .milliseconds(1_300))
            #expect(steps == (round == 0 ? [.report("0", .waitingForLimiter)] : []))
            #expect(script.advance(by: .milliseconds(300)).count == 1)
        }
        #expect(script.engineGrants(1, first: .milliseconds(100)) == [])
        #expect(script.advance(by: .milliseconds(100)) == [.start(2)])
    }

    @Test func `budgets are asked in the order in which they were wanted`() {
        let script = script()
        let keys = (0..<20).map { "k\($0)" }
        for key in keys { script.call(key, key: key) }
        script.engineConnects()
        let names = keys.map {
            SharedBudgets.name(of: FetchScript.request($0, nil).keyTag, prefix: "nkms", baseURL: EngineEnd.baseURL)
        }
        #expect(script.engine.questions.map { $0.words[3] } == names)
        #expect(script.engineIsLost() == (1...20).map { .start($0) })
    }

    // MARK: Without the engine

    @Test func `a short call that joins makes its fetch wait for the connection for no more than half of its time`() {
        let script = script()
        #expect(script.call("long") == [.connect])
        #expect(script.call("short", timeout: .milliseconds(500)) == [])
        #expect(script.advance(by: .milliseconds(249)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
    }

    @Test func `a short call that joins makes its fetch wait for an answer for no more than half of its time`() {
        let script = connectedScript()
        script.call("long")
        script.call("short", timeout: .milliseconds(500))
        #expect(script.advance(by: .milliseconds(249)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(2)])
    }

    /// With the calls that are left.
    @Test func `a call that has ended makes nobody impatient`() {
        let script = connectedScript()
        script.call("long")
        script.call("short", timeout: .milliseconds(500))
        script.engineGrants(0, first: .milliseconds(1_600))
        // At this time the next question is asked, and the short call is over.
        #expect(script.advance(by: .milliseconds(600)).contains(.ask("budget 300000 1 29400000 0")))
        #expect(script.advance(by: .seconds(14)) == [])
        #expect(script.engineGrants(1) == [.start(2)])
    }

    /// A user who may log in, and not run the script.
    @Test func `an engine that has never answered a question counts as never reached`() {
        let script = script()
        script.call("0")
        script.engineConnects()
        #expect(script.engineIsLost(.refused) == [.start(1)])
        guard case .engineLost(_, let rate) = script.engine.log.first else {
            Issue.record("\(script.engine.log)")
            return
        }
        #expect(rate == Rate(perSecond: 30))
    }

    @Test func `nobody waits for a connection for more than half of the time`() {
        let script = script()
        script.call("0", timeout: .milliseconds(200))
        #expect(script.advance(by: .milliseconds(99)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(1)])
        #expect(script.call("1", key: "other") == [.start(2)])
        #expect(script.machine.shared?.status.budget.local == 2)
        // When it comes, it is used.
        #expect(script.engineConnects() == [])
        #expect(script.call("2", key: "third") == [.ask("budget 300000 1 30000000 0")])
        #expect(script.engine.log.isEmpty)
    }

    @Test func `who waits for an answer goes on at once when the engine is lost`() {
        let script = connectedScript()
        script.call("0")
        #expect(script.engineIsLost() == [.start(2)])
        #expect(script.engine.log.count == 1)
        guard case .engineLost(_, let rate) = script.engine.log.first else {
            Issue.record("\(script.engine.log)")
            return
        }
        // One slot in ten seconds was granted for each key.
        #expect(rate == Rate(perSecond: 1))
        // No pause, as the random number is zero: the next fetch connects, and does not wait.
        script.advance(by: .milliseconds(50))
        #expect(script.call("1", key: "other") == [.connect, .start(3)])
        #expect(script.engineConnects() == [])
        script.call("2", key: "third")
        #expect(script.engine.log.count == 1)
        script.engineGrants(1)
        #expect(script.engine.log.last == .engineReturned)
    }

    /// Others may still be without it, and take their shares beside what it grants.
    @Test func `after a loss, asks for no more at first than it took meanwhile`() {
        let script = connectedScript()
        script.call("0")
        #expect(script.engineIsLost() == [.start(2)])
        script.advance(by: .milliseconds(50))
        script.call("1", key: "other")
        script.engineConnects()
        #expect(script.call("2", version: 2) == [.ask("budget 300000 1 30000000 0")])
        for version in 3...4 { #expect(script.call("\(version)", version: version) == []) }
        #expect(script.engineGrants(1) == [.start(4)])
        #expect(script.advance(by: .milliseconds(999)) == [])
        let asks = script.advance(by: .milliseconds(1))
        #expect(asks.count == 1)
        #expect(script.engineGrants(1) == [.start(5)])
        #expect(script.machine.shared?.status.budget.asked == 4)
    }

    @Test func `a short call does not wait for an answer for more than half of its time`() {
        let script = connectedScript()
        script.call("long", key: "a")
        #expect(script.call("short", key: "b", timeout: .milliseconds(80)).count == 1)
        #expect(script.advance(by: .milliseconds(39)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(3)])
        #expect(script.machine.shared?.status.budget.local == 1)
    }

    @Test func `a reply that is no answer to the question is the end of the connection`() {
        let script = connectedScript()
        script.call("0")
        #expect(script.engineAnswers(.status(Array("OK".utf8))) == [.start(2)])
        #expect(!script.engine.isOpen)
        #expect(script.machine.shared?.status.lastError == EngineLoss.unknownReply.message)
        // Somebody has to change something.
        script.advance(by: .seconds(59))
        script.call("1", key: "other")
        #expect(!script.engine.isOpen)
        script.advance(by: .seconds(1))
        script.call("2", key: "third")
        #expect(script.engine.isOpen)
    }

    @Test func `the connection is closed after a minute without use`() {
        let script = connectedScript()
        #expect(script.advance(by: .milliseconds(59_999)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.disconnect])
        #expect(script.machine.nextDue(now: script.now) == nil)
        #expect(script.machine.shared?.status.state == .idle)
        #expect(script.call("0") == [.connect])
    }
}
