import KMSPlatform
import Testing

@testable import NCloudKMS

/// The keys that processes share, as the machine uses them.
@Suite struct FetchMachineKeyTests {
    /// Connected, and without a question. Keys have no limit, so that the budget is not asked.
    private func script(
        _ keys: SharedStateConfiguration.Keys = .on, random: @escaping @Sendable () -> Double = { 0.5 }
    ) -> FetchScript {
        let script = FetchScript(sharesKeys: keys, random: random)
        #expect(script.call("first", key: "first") == [.connect])
        script.engineConnects()
        if keys == .on {
            script.engineSays("alone")
        } else {
            for reply in Self.lookUp(entry: nil, marker: nil) { script.engineAnswers(reply) }
        }
        script.respond(1, .key())
        return script
    }

    private func keys(_ script: FetchScript) -> SharedStatus.Keys {
        script.machine.shared?.status.keys ?? SharedStatus.Keys()
    }

    /// The replies to `TIME` and twice `GET`.
    private static func lookUp(entry: [UInt8]?, marker: String?) -> [EngineReply] {
        [
            .array([.bytes(Array("\(FetchScript.noon / 1_000)".utf8)), .bytes(Array("0".utf8))]),
            entry.map { .bytes($0) } ?? .null, marker.map { .bytes(Array($0.utf8)) } ?? .null,
        ]
    }

    // MARK: Using entries

    @Test func `an entry answers every call that waits, and is stored as old as it is`() throws {
        let script = script()
        #expect(script.call("0") == [.ask("flight ask")])
        #expect(script.call("1") == [])
        let start = script.now
        #expect(
            script.engineSays("entry", try FetchScript.entry(age: .seconds(40))) == [
                .store, .tell("0", .shared(age: .seconds(40))), .tell("1", .shared(age: .seconds(40))),
            ])
        #expect(script.stored.last?.fetchStart == start + .seconds(-40))
        #expect(script.stored.last?.fetched.requestID == "request-1")
        #expect(script.machine.upstream.attempts == 1)
        #expect(keys(script).hits == 1)
    }

    @Test func `a slightly negative age counts as none`() throws {
        let script = script()
        script.call("0")
        #expect(
            script.engineSays("entry", try FetchScript.entry(age: .seconds(-1))) == [
                .store, .tell("0", .shared(age: .zero)),
            ])
        #expect(script.stored.last?.fetchStart == script.now)
    }

    @Test func `a call that wants the service's answer gets it`() throws {
        let script = script()
        #expect(script.call("fresh", maxAge: .zero) == [.start(2)])
        // It does not join a fetch that looks for entries, and neither does one that wants a younger key.
        #expect(script.call("any", key: "other") == [.ask("flight ask")])
        #expect(script.call("younger", key: "other", maxAge: .seconds(10)) == [.ask("flight ask")])
        #expect(script.call("older", key: "other", maxAge: .seconds(400)) == [])
        #expect(
            script.engineSays("entry", try FetchScript.entry(age: .seconds(40), key: "other")) == [
                .store, .tell("any", .shared(age: .seconds(40))),
            ])
        #expect(
            script.engineSays("entry", try FetchScript.entry(age: .seconds(5), key: "other")) == [
                .store, .tell("younger", .shared(age: .seconds(5))), .tell("older", .shared(age: .seconds(5))),
            ])
    }

    @Test func `a reply that answers another verb is the end of the connection`() {
        let asking = script()
        asking.call("0")
        #expect(asking.engineSays("done") == [.start(2)])
        #expect(asking.machine.shared?.status.lastError == EngineLoss.unknownReply.message)
        let storing = script()
        storing.call("0")
        storing.engineSays("lead")
        #expect(storing.respond(2, .key(clock: .zero)).last == .ask("flight store"))
        storing.engineSays("lead")
        #expect(storing.machine.shared?.status.lastError == EngineLoss.unknownReply.message)
        #expect(keys(storing).stored == 0)
    }

    /// The age, and the limit of the call.
    static let tooOld: [(Duration, Duration?)] = [
        (.seconds(299), nil), (.seconds(9), .seconds(10)), (.seconds(300), .seconds(1_000)),
    ]

    @Test(arguments: tooOld)
    func `an entry that is too old for the call is passed over, and nobody is to blame`(
        age: Duration, maxAge: Duration?
    ) throws {
        let script = script()
        script.call("0", maxAge: maxAge)
        #expect(script.engineSays("entry", try FetchScript.entry(age: age)) == [.ask("flight ask")])
        #expect(keys(script).rejected == 0)
        #expect(script.engineSays("lead") == [.start(2)])
    }

    static let forged: [(@Sendable () throws -> [UInt8], SharedEntry.Rejection)] = [
        ({ [] }, .malformed),
        ({ Array("nonsense".utf8) }, .malformed),
        ({ [UInt8](repeating: 65, count: 4_097) }, .tooLarge),
        ({ Array(try FetchScript.entry(age: .zero).dropLast()) }, .wrongTag),
        ({ Array(try FetchScript.entry(age: .zero).dropLast(100)) }, .wrongTag),
        ({ try FetchScript.entry(age: .zero, key: "other") }, .wrongTag),
        ({ try FetchScript.entry(age: .zero, mac: "other") }, .wrongTag),
        ({ try FetchScript.entry(age: .zero) + [10] }, .wrongTag),
        ({ try FetchScript.entry(age: .seconds(301)) }, .aged),
        ({ try FetchScript.entry(age: .seconds(-3)) }, .fromTheFuture),
        ({ try FetchScript.entry(age: .zero, pem: Array("-----BEGIN PRIVATE KEY-----".utf8)) }, .invalidKey),
        ({ try FetchScript.entry(age: .zero, pem: []) }, .invalidKey),
    ]

    @Test(arguments: forged.indices)
    func `an entry that fails a check is never used`(index: Int) throws {
        let (make, rejection) = Self.forged[index]
        let script = script()
        script.call("0")
        #expect(script.engineSays("entry", try make()) == [.ask("flight ask")])
        #expect(keys(script).rejected == 1)
        #expect(script.engine.log == [.entryRejected(rejection)])
        // It passes over it, and replaces it.
        #expect(script.engine.questions.first?.words.last?.count == 40)
        #expect(script.engineSays("lead") == [.start(2)])
        #expect(script.respond(2, .key(clock: .zero)) == [.store, .tell("0", .key()), .ask("flight store")])
    }

    @Test func `rejections are logged once a minute`() throws {
        let script = script()
        for number in 0..<3 {
            script.call("\(number)", key: "k\(number)", maxAge: .seconds(100))
            script.engineSays("entry", [1])
            script.engineSays("alone")
            script.respond(number + 2, .key())
        }
        #expect(keys(script).rejected == 3)
        #expect(script.engine.log.count == 1)
    }

    @Test(arguments: [Duration.seconds(5), .seconds(-5), .milliseconds(5_001), .milliseconds(-5_001), .seconds(3_600)])
    func `entries are used only if our clock and the engine's agree`(difference: Duration) throws {
        let agrees = max(difference, .zero - difference) <= .seconds(5)
        let script = script()
        script.call("0")
        let steps = script.engineSays("entry", try FetchScript.entry(age: .seconds(10)), clock: difference)
        #expect(steps == (agrees ? [.store, .tell("0", .shared(age: .seconds(10)))] : [.start(2)]))
        #expect(script.engine.log == (agrees ? [] : [.clockDiffers(by: difference)]))
        #expect(keys(script).rejected == 0)
        // It does not wait for an entry that it could not use, but may make one.
        for (word, key) in [("wait", "k2"), ("lead", "k3")] where !agrees {
            script.call(word, key: key)
            #expect(script.engineSays(word, clock: difference).count == 1)
            #expect(script.outcomes[word] == nil)
        }
        #expect(script.engine.log.count == (agrees ? 0 : 1))
    }

    // MARK: One fetch for all

    @Test func `a leader fetches, renews its marker, and stores the key`() throws {
        let script = script()
        script.call("0")
        #expect(script.engineSays("lead") == [.start(2)])
        #expect(script.advance(by: .milliseconds(299)) == [])
        #expect(
            script.advance(by: .milliseconds(601)) == [
                .ask("flight renew"), .ask("flight renew"), .ask("flight renew"),
            ])
        #expect(
            script.respond(2, .key(clock: .seconds(100))) == [
                .store, .tell("0", .key()), .ask("flight store"),
            ])
        let words = try #require(script.engine.questions.last?.words)
        #expect(words[6].count == 32)
        // By the service's clock, and as old as the fetch.
        let entry = try SharedEntry(
            Array(words[7].utf8), for: FetchScript.request("k", nil),
            try SharedSeal(secret: SecretBytes("mac"), baseURL: EngineEnd.baseURL))
        #expect(entry.startedAt == FetchScript.noon + 100_000 - 900)
        #expect(entry.pem == Reply.demoKey.pem)
        #expect(words[8] == "\(300_000 - 900)")
        #expect(keys(script).led == 1)
        #expect(keys(script).stored == 0)
        for _ in 0..<4 { #expect(script.engineSays("done") == []) }
        #expect(keys(script).stored == 1)
        #expect(script.advance(by: .seconds(10)) == [])
    }

    @Test func `without the service's time nothing is stored`() {
        let script = script()
        script.call("0")
        script.engineSays("lead")
        #expect(script.respond(2, .key()) == [.store, .tell("0", .key()), .ask("flight release")])
        #expect(keys(script).stored == 0)
    }

    @Test func `a follower asks again until there is an entry`() throws {
        let script = script()
        script.call("0")
        #expect(script.engineSays("wait") == [])
        #expect(script.advance(by: .milliseconds(20)) == [.ask("flight ask")])
        script.engineSays("wait")
        #expect(script.advance(by: .milliseconds(39)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.ask("flight ask")])
        #expect(
            script.engineSays("entry", try FetchScript.entry(age: .zero)) == [.store, .tell("0", .shared(age: .zero))])
        #expect(keys(script).followed == 1)
    }

    @Test func `a follower asks the service when half of its time is over`() {
        let script = script()
        script.call("0", timeout: .seconds(4))
        script.engineSays("wait")
        let half = script.now + .seconds(2)
        while script.underWay.isEmpty, script.now < half {
            script.advance(by: .milliseconds(10))
            while !script.engine.questions.isEmpty { script.engineSays("wait") }
        }
        #expect(script.underWay == [2])
        #expect(script.now == half)
    }

    /// How the leader's fetch ends, and what it does with the marker.
    static let failures: [(Reply, String)] = [
        (.unavailable(), "flight release"),
        (.failure(.permissionDenied, status: 403), "flight refuse 0"),
        (.failure(.invalidServiceResponse, status: 200), "flight refuse 0"),
        (.gone, "flight refuse 1"),
        (.failure(.keyUnusable, status: 400), "flight refuse 1"),
    ]

    @Test(arguments: failures.indices)
    func `a leader that fails lets the next one lead, or all ask for themselves`(index: Int) {
        let (reply, verb) = Self.failures[index]
        let script = script()
        script.call("0")
        script.engineSays("lead")
        var steps: [FetchScript.Step] = []
        while script.outcomes["0"] == nil {
            if script.underWay.isEmpty { script.advance(by: .milliseconds(100)) }
            steps = script.respond(2, reply)
        }
        #expect(steps.last == .ask(verb))
    }

    @Test func `nobody waits for the engine, or for a leader, for more than half of the time`() {
        let script = script()
        script.call("short", timeout: .milliseconds(80))
        #expect(script.advance(by: .milliseconds(39)) == [])
        #expect(script.advance(by: .milliseconds(1)) == [.start(2)])
        // It has gone; the answer does not matter any more.
        #expect(script.engineSays("wait") == [])
        script.call("long", key: "other")
        script.engineSays("wait")
        #expect(script.call("joined", key: "other", timeout: .milliseconds(30)) == [])
        #expect(script.advance(by: .milliseconds(15)) == [.start(3)])
    }

    @Test func `calls that joined while credentials were awaited all get what they want`() throws {
        let script = script()
        script.credentials = .awaited
        script.call("any")
        script.call("fresh", maxAge: .zero)
        #expect(script.credentialsArrive(.found(FetchScript.keyPair("A"))) == [.start(2)])
    }

    @Test func `a leader that nobody waits for gives up the marker`() {
        let script = script()
        script.call("0")
        script.engineSays("lead")
        #expect(script.cancel("0") == [.tell("0", .failure(.cancelled)), .cancel(2), .ask("flight release")])
    }

    @Test func `whoever finds that a key is gone deletes its entry`() {
        let script = script()
        script.call("0")
        script.engineSays("alone")
        #expect(script.respond(2, .gone).last == .ask("flight refuse 1"))
        // Also without having looked for an entry.
        script.call("1", maxAge: .zero)
        #expect(script.respond(3, .gone).contains(.ask("flight refuse 1")))
    }

    @Test func `a call whose time ends while it waits for a shared key is told so`() {
        let script = script()
        script.call("0", timeout: .seconds(1))
        // Its process was stopped.
        #expect(script.oversleep(for: .seconds(1)) == [.tell("0", .failure(.deadlineExceeded, "shared-key"))])
    }

    @Test func `keys are looked for in the order in which they were wanted`() throws {
        let script = FetchScript(sharesKeys: .on)
        let keys = (0..<20).map { "k\($0)" }
        for key in keys { script.call(key, key: key) }
        script.engineConnects()
        let seal = try SharedSeal(secret: SecretBytes("mac"), baseURL: EngineEnd.baseURL)
        let names = try keys.map { try #require(seal.name(of: FetchScript.request($0, nil))) }
        #expect(script.engine.questions.map { $0.words[3] } == names.map { SharedKeyNames(prefix: "nkms", $0).entry })
        #expect(script.engineIsLost() == (1...20).map { .start($0) })
    }

    // MARK: Refreshing

    @Test func `a refresh needs the marker`() throws {
        for word in ["wait", "alone"] {
            let script = script()
            #expect(script.refresh() == [.ask("flight ask")])
            #expect(script.engineSays(word) == [])
            #expect(script.machine.fetches.ids.isEmpty)
        }
        let script = script()
        script.refresh()
        // As old as the one that is about to expire.
        #expect(script.engineSays("entry", try FetchScript.entry(age: .seconds(269))) == [.ask("flight ask")])
        #expect(script.engineSays("lead") == [.start(2)])
    }

    @Test func `a refresh uses a younger entry`() throws {
        let script = script()
        script.refresh()
        #expect(script.engineSays("entry", try FetchScript.entry(age: .seconds(100))) == [.store])
    }

    @Test func `a call that joined a refresh gets its key, whoever refreshes`() throws {
        let script = script()
        script.refresh()
        #expect(script.call("0", maxAge: .seconds(270)) == [])
        #expect(script.engineSays("wait") == [])
        #expect(script.advance(by: .milliseconds(20)) == [.ask("flight ask")])
        let steps = script.engineSays("entry", try FetchScript.entry(age: .zero))
        #expect(steps == [.store, .tell("0", .shared(age: .zero))])
    }

    // MARK: Reading alone

    @Test func `with rights to read it looks, and never leads or stores`() throws {
        let script = script(.read)
        #expect(script.call("0") == [.ask("TIME"), .ask("GET k"), .ask("GET f")])
        for reply in Self.lookUp(entry: nil, marker: "leader") { #expect(script.engineAnswers(reply) == []) }
        #expect(script.advance(by: .milliseconds(20)) == [.ask("TIME"), .ask("GET k"), .ask("GET f")])
        let entry = try FetchScript.entry(age: .zero)
        let steps = Self.lookUp(entry: entry, marker: nil).flatMap { script.engineAnswers($0) }
        #expect(steps == [.store, .tell("0", .shared(age: .zero))])
        script.call("1", key: "other")
        #expect(Self.lookUp(entry: [1], marker: nil).flatMap { script.engineAnswers($0) } == [.start(3)])
        #expect(script.respond(3, .key(clock: .zero)) == [.store, .tell("1", .key())])
        #expect(keys(script).rejected == 1)
    }

    @Test func `with rights to read it waits for the leader that replaces an entry`() throws {
        let script = script(.read)
        script.call("0")
        for reply in Self.lookUp(entry: [1], marker: "leader") { #expect(script.engineAnswers(reply) == []) }
        #expect(script.advance(by: .milliseconds(20)).count == 3)
        // A value of another type counts as missing.
        let wrongType = EngineReply.error(EngineError("WRONGTYPE Operation against a key".utf8))
        script.engineAnswers(Self.lookUp(entry: nil, marker: nil)[0])
        #expect(script.engineAnswers(wrongType) == [])
        #expect(script.engineAnswers(wrongType) == [.start(2)])
    }

    // MARK: Without the engine

    @Test func `without the engine no key is refreshed ahead`() {
        let script = script()
        script.engineIsLost(.refused)
        #expect(script.refresh() == [])
        #expect(script.machine.fetches.ids.isEmpty)
    }

    @Test func `followers and those who ask go on when the engine is lost; leaders keep on`() {
        let script = script()
        script.call("asks", key: "a")
        script.call("follows", key: "b")
        script.call("leads", key: "c")
        #expect(script.engineSays("alone") == [.start(2)])
        script.engineSays("wait")
        #expect(script.engineSays("lead") == [.start(4)])
        #expect(script.engineIsLost() == [.start(3)])
        // Nothing is sent to nobody.
        #expect(script.respond(4, .key(clock: .zero)) == [.store, .tell("leads", .key())])
    }
}
