import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// Whatever happens, and in whatever order: each call is told once, and nothing is leaked.
@Suite struct FetchMachineRandomTests {
    private static let sequences = 100
    private static let events = 80

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `each call is told once, and what was used is free again`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for sequence in 0..<Self.sequences {
            let jitter = Lock(SeededGenerator(seed: random.next()))
            let script = FetchScript(
                ratePerKey: [0, 0, 1, 5, 300].randomElement(using: &random) ?? 0,
                totalRate: [0, 0, 0, 3].randomElement(using: &random) ?? 0,
                connections: .random(in: 1...4, using: &random), attempts: .random(in: 1...3, using: &random),
                sharesKeys: [nil, .off, .read, .on].randomElement(using: &random) ?? nil,
                random: { jitter.withLock { .random(in: 0..<1, using: &$0) } })
            script.context = "seed \(seed), sequence \(sequence): "
            var names: [String] = []
            for _ in 0..<Self.events {
                happen(script, &names, &random)
                if script.machine.shared != nil { happenAtEngine(script, &random) }
                check(script)
            }
            end(script, names)
        }
    }

    private func happen(_ script: FetchScript, _ names: inout [String], _ random: inout SeededGenerator) {
        func pick<Value>(_ values: Value...) -> Value { values[.random(in: values.indices, using: &random)] }
        let key = pick("k1", "k2", "k3", "k4", "k5")
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30:
            names.append("\(names.count)")
            script.call(
                names[names.count - 1], key: key, version: pick(nil, nil, 1), maxAge: pick(nil, .zero, .seconds(2)),
                timeout: pick(.milliseconds(1), .milliseconds(200), .seconds(2), .seconds(30), .seconds(60)),
                waited: pick(.zero, .zero, .milliseconds(10)))
        case 30..<38:
            if let name = names.randomElement(using: &random) { _ = script.cancel(name) }
        case 38..<43:
            script.refresh(key: key)
        case 43..<68:
            guard let fetch = script.underWay.sorted().randomElement(using: &random) else { return }
            let reply = pick(
                Reply.key(), .key(clock: .zero), .unavailable(), .unavailable(), .unavailable(retryAfter: "3"),
                .throttled(),
                .throttled(retryAfter: "2"), .damaged, .gone, .refused(), .refused(clock: .seconds(360)),
                .deadConnection, .noDescriptor)
            script.respond(fetch, reply)
        case 68..<70:
            script.sendNext()
        case 70..<80:
            script.advance(by: pick(.zero, .milliseconds(1), .milliseconds(60), .milliseconds(900), .seconds(8)))
        case 80..<83:
            _ = script.oversleep(for: pick(.milliseconds(100), .seconds(3)))
        case 83..<86:
            script.delay(by: pick(.microseconds(50), .milliseconds(5), .seconds(1)))
        case 86..<93:
            let answer = pick(
                FetchMachine.CredentialAnswer.found(FetchScript.keyPair("A")), .found(FetchScript.keyPair("A")),
                .found(FetchScript.keyPair("B")), .awaited, .unavailable(.credentialsUnavailable(looked: [])))
            _ = script.credentialsArrive(answer)
        case 93..<95:
            script.others = pick(nil, FetchScript.keyPair("B"), FetchScript.keyPair("C"))
        case 95..<97:
            script.signingError = pick(nil, nil, .signingFailed)
        case 97:
            _ = script.shutDown()
        case 98:
            script.sendsAtOnce.toggle()
            _ = script.carryOut()
        default:
            script.carriesOut.toggle()
            _ = script.carryOut()
        }
    }

    /// The shared engine connects, is lost, or answers: rightly, or with anything.
    private func happenAtEngine(_ script: FetchScript, _ random: inout SeededGenerator) {
        func pick<Value>(_ values: Value...) -> Value { values[.random(in: values.indices, using: &random)] }
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3:
            if script.engine.isOpen, !(script.machine.shared?.status.state == .connected) { script.engineConnects() }
        case 3:
            if script.engine.isOpen { script.engineIsLost(pick(.unreachable, .refused)) }
        case 4..<9:
            guard let words = script.engine.questions.first?.words else { return }
            if words[0] == "TIME" {
                script.engineAnswers(.array([.bytes(Array("\(FetchScript.noon / 1_000)".utf8)), .bytes([48])]))
            } else if words[0] == "GET" {
                script.engineAnswers(pick(.null, .null, .bytes([48]), .bytes([49])))
            } else if words[1] == String(decoding: EngineScript.budget.sha1, as: UTF8.self) {
                let asked = Int(words[5]) ?? 0
                script.engineGrants(
                    .random(in: 0...asked, using: &random),
                    first: pick(.milliseconds(-90), .zero, .milliseconds(5), .milliseconds(990), .milliseconds(1_200)))
            } else {
                let entry = try? FetchScript.entry(age: pick(.zero, .seconds(280)), key: pick("k1", "k2", "k3"))
                switch pick("entry", "lead", "lead", "wait", "alone") {
                case "entry": script.engineSays("entry", pick(entry, [1, 2], []))
                case let word: script.engineSays(word, clock: pick(.zero, .zero, .zero, .seconds(60)))
                }
            }
        default:
            guard !script.engine.questions.isEmpty else { return }
            script.engineAnswers(pick(.null, .error(EngineError("OOM".utf8)), .array([]), .integer(1)))
        }
    }

    /// What is so after every event.
    private func check(_ script: FetchScript) {
        if !(0...RetryQuota.capacity).contains(script.quota) { script.fault("the quota is \(script.quota)") }
        var departing = 0
        var atLimiter = 0
        for id in script.machine.fetches.ids {
            guard let fetch = script.machine.fetches[id] else { continue }
            if fetch.waiters.isEmpty { script.fault("nobody waits for a fetch under way") }
            for waiter in fetch.waiters.places where script.machine.calls[waiter].map({ $0.fetch != id }) ?? false {
                script.fault("a lost call waits")
            }
            switch fetch.phase {
            case .departure: departing += 1
            case .limiter, .budget: atLimiter += 1
            case .answered, .refused: if script.carriesOut { script.fault("a fetch is stuck") }
            case .credentials, .shared, .connection, .transfer, .backoff: break
            }
        }
        let limit = script.machine.configuration.maximumConnections
        // While its owner is busy, attempts that are to be cancelled count as under way for it, and not for the machine.
        let connections = script.machine.connections
        if script.carriesOut, connections.used != script.underWay.count + departing {
            script.fault("\(connections.used) of \(limit) connections are in use")
        }
        if connections.free < 0 || connections.free > limit || connections.missing < 0 {
            script.fault("connections are made up")
        }
        if connections.used == 0, connections.free == 0 { script.fault("nothing can be sent any more") }
        if script.machine.limiterWaiting != atLimiter { script.fault("the limiter's queue is wrong") }
        if script.machine.upstream.failures > script.machine.upstream.attempts {
            script.fault("more attempts fail than are made")
        }
    }

    /// Nothing is answered any more: every call ends by its own time, and then all is as at the beginning.
    private func end(_ script: FetchScript, _ names: [String]) {
        script.carriesOut = true
        script.sendsAtOnce = true
        script.signingError = nil
        _ = script.credentialsArrive(.found(FetchScript.keyPair("A")))
        if script.engine.isOpen { script.engineIsLost() }
        script.advance(by: .seconds(600))
        check(script)
        let missing = names.filter { script.outcomes[$0] == nil }
        if !missing.isEmpty { script.fault("calls \(missing) are not told") }
        if !script.underWay.isEmpty { script.fault("attempts go on") }
        if !script.machine.fetches.ids.isEmpty || script.machine.calls.count > 0 { script.fault("fetches are left") }
        if script.machine.nextDue(now: script.now) != nil { script.fault("a timer is left") }
        if script.quota != RetryQuota.capacity { script.fault("the quota is not full") }
        let limit = script.machine.configuration.maximumConnections
        script.call("first", key: "first")
        // The engine can't be reached any more.
        if script.engine.isOpen { script.engineIsLost() }
        for fetch in script.underWay { script.respond(fetch, .key()) }
        let last = (0...limit).map { "last \($0)" }
        for (index, name) in last.enumerated() { script.call(name, key: "key\(index)", timeout: .seconds(60)) }
        script.advance(by: .seconds(10))
        if script.underWay.count != limit { script.fault("\(script.underWay.count) of \(limit) can be used") }
        for fetch in script.underWay { script.respond(fetch, .key()) }
        if script.underWay.count != 1 { script.fault("a free connection is not used") }
    }
}
