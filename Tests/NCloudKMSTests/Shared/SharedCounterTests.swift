import KMSPlatform
import Testing

@testable import NCloudKMS

/// What the counters of the status count, case by case.
@Suite struct SharedCounterTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let expected: [String: Int]
        let run: @Sendable (FetchScript) throws -> Void

        init(_ name: String, _ expected: [String: Int], _ run: @escaping @Sendable (FetchScript) throws -> Void) {
            testDescription = name
            self.expected = expected
            self.run = run
        }
    }

    private func count(_ counters: [String: Int], since before: [String: Int] = [:]) -> [String: Int] {
        counters.merging(before) { $0 - $1 }.filter { $0.value != 0 }
    }

    // MARK: Keys

    private static let time = EngineReply.array([
        .bytes(Array("\(FetchScript.noon / 1_000)".utf8)), .bytes(Array("0".utf8)),
    ])

    private static func leads(_ script: FetchScript) {
        script.call("0")
        script.engineSays("lead")
    }

    static let keyCases: [Case] = [
        Case("an entry is used", ["hits": 1]) {
            $0.call("0")
            $0.call("1")
            $0.engineSays("entry", try FetchScript.entry(age: .seconds(5)))
        },
        Case("a leader stores its key", ["misses": 1, "led": 1, "stored": 1]) {
            leads($0)
            $0.respond(2, .key(clock: .zero))
            $0.engineSays("done")
        },
        Case("the engine has a younger one", ["misses": 1, "led": 1]) {
            leads($0)
            $0.respond(2, .key(clock: .zero))
            $0.engineSays("kept")
        },
        Case("the engine is full", ["misses": 1, "led": 1]) {
            leads($0)
            $0.respond(2, .key(clock: .zero))
            $0.engineAnswers(.error(EngineError("OOM command not allowed".utf8)))
        },
        Case("the engine is lost before it answers", ["misses": 1, "led": 1]) {
            leads($0)
            $0.respond(2, .key(clock: .zero))
            $0.engineIsLost()
        },
        Case("the service tells no time", ["misses": 1, "led": 1]) {
            leads($0)
            $0.respond(2, .key())
            $0.engineSays("done")
        },
        Case("a leader fails", ["misses": 1, "led": 1]) {
            leads($0)
            $0.respond(2, .gone)
            $0.engineSays("done")
        },
        Case("nobody leads", ["misses": 1]) {
            $0.call("0")
            $0.engineSays("alone")
        },
        Case("a follower gets the entry", ["hits": 1, "followed": 1]) {
            $0.call("0")
            $0.engineSays("wait")
            $0.advance(by: .milliseconds(20))
            $0.engineSays("entry", try FetchScript.entry(age: .zero))
        },
        Case(
            "a follower follows again after a bad entry, and leads",
            ["misses": 1, "followed": 1, "rejected": 1, "led": 1]
        ) {
            $0.call("0")
            $0.engineSays("wait")
            $0.advance(by: .milliseconds(20))
            $0.engineSays("entry", [1])
            $0.engineSays("wait")
            $0.advance(by: .milliseconds(20))
            $0.engineSays("lead")
        },
        Case("a follower has no time left", ["misses": 1, "followed": 1]) {
            $0.call("0", timeout: .milliseconds(40))
            $0.engineSays("wait")
            $0.advance(by: .milliseconds(20))
        },
        Case("the engine does not answer in time", ["misses": 1]) {
            $0.call("0", timeout: .milliseconds(80))
            $0.advance(by: .milliseconds(40))
            $0.engineSays("lead")
        },
        Case("the engine is lost while it is asked", ["misses": 1]) {
            $0.call("0")
            $0.engineIsLost()
        },
        Case("the engine is lost while a process follows", ["misses": 1, "followed": 1]) {
            $0.call("0")
            $0.engineSays("wait")
            $0.engineIsLost()
        },
        Case("without the engine nothing is looked for", [:]) {
            $0.engineIsLost()
            $0.call("0")
        },
        Case("an entry is too old for the call", ["misses": 1, "led": 1]) {
            $0.call("0", maxAge: .seconds(10))
            $0.engineSays("entry", try FetchScript.entry(age: .seconds(9)))
            $0.engineSays("lead")
        },
        Case("entries are bad again and again", ["misses": 1, "rejected": 4]) {
            $0.call("0")
            for text in UInt8(1)...4 { $0.engineSays("entry", [text]) }
        },
        Case("a call wants the service's answer", ["stored": 1]) {
            $0.call("0", maxAge: .zero)
            $0.respond(2, .key(clock: .zero))
            $0.engineSays("done")
        },
        Case("another process refreshes", [:]) {
            $0.refresh()
            $0.engineSays("wait")
        },
        Case("a call joins a refresh", ["hits": 1, "followed": 1]) {
            $0.refresh()
            $0.call("0", maxAge: .seconds(270))
            $0.engineSays("wait")
            $0.advance(by: .milliseconds(20))
            $0.engineSays("entry", try FetchScript.entry(age: .zero))
        },
        Case("nobody waits any more", [:]) {
            $0.call("0")
            _ = $0.cancel("0")
            $0.engineSays("lead")
        },
    ]

    private func keys(_ script: FetchScript) -> [String: Int] {
        let keys = script.machine.shared?.status.keys ?? .init()
        return [
            "hits": keys.hits, "misses": keys.misses, "stored": keys.stored, "rejected": keys.rejected,
            "led": keys.led, "followed": keys.followed,
        ]
    }

    /// Keys have no limit, so that the budget is not asked.
    private func script(_ sharing: SharedStateConfiguration.Keys) -> FetchScript {
        let script = FetchScript(sharesKeys: sharing, random: { 0.5 })
        script.call("first", key: "first")
        script.engineConnects()
        if sharing == .on { script.engineSays("alone") }
        if sharing == .read { for reply in [Self.time, .null, .null] { script.engineAnswers(reply) } }
        script.respond(1, .key())
        return script
    }

    @Test(arguments: keyCases) func `keys are counted`(row: Case) throws {
        let script = script(.on)
        let before = keys(script)
        #expect(before == ["hits": 0, "misses": 1, "stored": 0, "rejected": 0, "led": 0, "followed": 0])
        try row.run(script)
        #expect(count(keys(script), since: before) == row.expected)
    }

    @Test func `a process that may only read counts a bad entry once, however often it sees it`() {
        let script = script(.read)
        let before = keys(script)
        script.call("0")
        for _ in 0..<3 {
            for reply in [Self.time, .bytes([1]), .bytes(Array("leader".utf8))] { script.engineAnswers(reply) }
            script.advance(by: .milliseconds(250))
        }
        #expect(count(keys(script), since: before) == ["followed": 1, "rejected": 1])
        for reply in [Self.time, .bytes([1]), .null] { script.engineAnswers(reply) }
        #expect(count(keys(script), since: before) == ["followed": 1, "rejected": 1, "misses": 1])
    }

    // MARK: The budget

    static let budgetCases: [Case] = [
        Case("a slot is granted", ["asked": 1, "granted": 1]) {
            $0.call("0")
            $0.engineGrants(1)
        },
        Case("several are wanted, and fewer granted", ["asked": 4, "granted": 3]) {
            $0.call("0")
            for version in 1...3 { $0.call("\(version)", version: version) }
            $0.engineGrants(1)
            $0.engineGrants(2)
        },
        Case("no slot is granted", ["asked": 1, "refused": 1]) {
            $0.call("0")
            $0.engineGrants(0, first: .milliseconds(1_300))
        },
        Case("the engine is lost before it answers", ["asked": 1, "local": 1]) {
            $0.call("0")
            $0.engineIsLost()
        },
        Case("without the engine", ["local": 1]) {
            $0.engineIsLost()
            $0.call("0")
        },
        Case(
            "the engine does not answer in time, and then grants a slot that nobody uses",
            [
                "asked": 1, "local": 1, "granted": 1,
            ]
        ) {
            $0.call("0", timeout: .milliseconds(80))
            $0.advance(by: .milliseconds(40))
            $0.engineGrants(1)
        },
        Case("a report of throttling asks for no slot", ["asked": 2, "granted": 2]) {
            $0.call("0")
            $0.engineGrants(1)
            $0.respond(2, .throttled())
            $0.engineGrants(0)
            $0.engineGrants(1)
        },
    ]

    private func budget(_ script: FetchScript) -> [String: Int] {
        let budget = script.machine.shared?.status.budget ?? .init()
        return ["asked": budget.asked, "granted": budget.granted, "refused": budget.refused, "local": budget.local]
    }

    @Test(arguments: budgetCases) func `slots are counted`(row: Case) throws {
        let script = FetchScript(ratePerKey: 300, sharesKeys: .off)
        script.call("first", key: "first")
        script.engineConnects()
        script.engineGrants(1)
        script.respond(1, .key())
        let before = budget(script)
        #expect(before == ["asked": 1, "granted": 1, "refused": 0, "local": 0])
        try row.run(script)
        #expect(count(budget(script), since: before) == row.expected)
    }
}
