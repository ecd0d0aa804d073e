import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite(.enabled(if: hasRedis, "redis-server is not installed")) struct BudgetScriptTests {
    private static let key = "nkms:1:b:{0}"

    struct Answer: Equatable {
        var granted: Int
        /// From now to the first slot, in µs.
        var first: Int
        var interval: Int
        var rate: Int
    }

    private let script: ScriptFixture

    init() throws {
        script = try ScriptFixture(.budget)
    }

    /// - Parameters:
    ///   - rate: in requests per 1,000 s.
    ///   - longest: in µs.
    private func ask(
        _ wanted: Int, rate: Int = 300_000, longest: Int = 60_000_000, isThrottled: Bool = false
    ) throws -> Answer {
        let reply = try script.run(
            keys: [Self.key], [rate, wanted, longest, isThrottled ? 1 : 0].map { Array("\($0)".utf8) })
        let numbers = (reply.elements ?? []).compactMap(\.integer)
        try #require(numbers.count == 5, "\(reply)")
        #expect(numbers[4] == script.now)
        return Answer(granted: numbers[0], first: numbers[1], interval: numbers[2], rate: numbers[3])
    }

    private func step(_ wanted: Int) throws -> [Int] {
        let answer = try ask(wanted)
        #expect(answer.interval == 3_334 && answer.rate == 300_000)
        return [answer.granted, answer.first]
    }

    @Test func `the batch shrinks the further ahead its first slot is`() throws {
        #expect(try step(1) == [1, -96_686])
        #expect(try step(30) == [30, -93_352])
        #expect(try step(30) == [29, 6_668])
        #expect(try step(30) == [26, 103_354])
        #expect(try step(30) == [24, 190_038])
        var first = 270_054
        while first <= 1_000_000 {
            #expect(try step(1) == [1, first])
            first += 3_334
        }
        #expect(first == 1_000_200)
        #expect(try step(1) == [0, 1_000_200])
        #expect(try step(30) == [0, 1_000_200])
        // The horizon moves on.
        script.now += 200
        #expect(try step(30) == [1, 1_000_000])
    }

    @Test func `no more than the burst is granted, however many are wanted`() throws {
        #expect(try step(1_000) == [30, -96_686])
    }

    @Test func `a question without slots changes nothing`() throws {
        #expect(try step(0) == [0, -96_686])
        #expect(try script.server.command("EXISTS", Self.key) == "0")
        #expect(try step(5) == [5, -96_686])
        #expect(try step(0) == [0, -80_016])
        #expect(try step(1) == [1, -80_016])
    }

    @Test func `a slot that comes too late is not granted`() throws {
        _ = try ask(30)
        #expect(try ask(5, longest: 3_333).granted == 0)
        #expect(try ask(5, longest: 3_334).granted == 5)
        #expect(try ask(1, longest: 0).granted == 0)
    }

    @Test func `a budget is forgotten 15 s after its last use`() throws {
        _ = try ask(1)
        let life = try script.server.command("PTTL", Self.key)
        #expect((1...15_000).contains(Int(life) ?? 0))
        try script.server.command("PERSIST", Self.key)
        _ = try ask(0, isThrottled: true)
        #expect(try script.server.command("PTTL", Self.key) != "-1")
    }

    // MARK: What is stored

    private func store(_ field: String, _ value: String) throws {
        try script.server.command("HSET", Self.key, field, value)
    }

    @Test func `a time beyond what can have been granted becomes now`() throws {
        // The horizon, the tolerance, and a burst that the slot at the horizon may have been the first of.
        let furthest = script.now + 1_000_000 + 96_686 + 31 * 3_334
        try store("tat", "\(furthest)")
        #expect(try step(1) == [0, furthest - 96_686 - script.now])
        for tat in [furthest + 1, script.now + 3_600_000_000, 9_999_999_999_999_999] {
            try store("tat", "\(tat)")
            #expect(try step(1) == [1, -96_686])
        }
    }

    @Test func `a clock that is set does not stop the budget`() throws {
        for _ in 0..<10 { _ = try ask(30) }
        for change in [-3_600_000_000, 3_600_000_000, 7_200_000_000, -7_200_000_000] {
            script.now += change
            #expect(try step(30) == [30, -96_686])
            for _ in 0..<10 { _ = try ask(30, isThrottled: true) }
            script.now += 10_000_000
        }
    }

    @Test(arguments: ["", "abc", "-5", "1e9", "nan", "inf", "0x10", " 5", "5 ", "1.5", "12345678901234567", "\0"])
    func `a field of rubbish is as if it were not there`(value: String) throws {
        for field in ["tat", "red", "thr", "hlv"] {
            try script.server.command("DEL", Self.key)
            if field != "tat" { try store("tat", "\(script.now)") }
            if field == "red" { try store("thr", "\(script.now)") }
            if field == "thr" { try store("red", "1000") }
            // redis-cli has no other way to pass a zero byte.
            try script.server.command(
                "EVAL", "return redis.call('HSET', KEYS[1], ARGV[1], loadstring('return \"' .. ARGV[2] .. '\"')())",
                "1",
                Self.key, field, value == "\0" ? "\\\\0" : value)
            #expect(try step(1) == [1, -96_686])
            // A halving that never was does not prevent this one.
            #expect(try ask(0, isThrottled: true).rate == 150_000)
        }
    }

    @Test func `a reduced rate is kept within its limits`() throws {
        for (reduced, rate) in [(0, 1_000), (999, 1_000), (1_001, 1_001), (300_001, 300_000), (9_999_999, 300_000)] {
            try store("red", "\(reduced)")
            try store("thr", "\(script.now)")
            #expect(try ask(0).rate == rate)
        }
        // From a clock that was set back.
        try store("red", "1000")
        try store("thr", "\(script.now + 1)")
        #expect(try ask(0).rate == 300_000)
    }

    @Test(arguments: [["SET"], ["RPUSH"], ["SADD"], ["PFADD"]])
    func `a name of another type is as if it were not there`(command: [String]) throws {
        try script.server.command(command + [Self.key, "x"])
        #expect(try step(1) == [1, -96_686])
        #expect(try step(1) == [1, -93_352])
    }

    @Test func `a missing right is the script's error`() throws {
        try script.server.command("ACL", "SETUSER", "default", "-hmget")
        let reply = try script.run(keys: [Self.key], ["300000", "1", "0", "0"].map { Array($0.utf8) })
        guard case .error(let error) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(error.kind == .refused)
    }

    // MARK: The rate

    @Test func `throttling halves the rate once a second, and it recovers`() throws {
        #expect(try ask(0, isThrottled: true).rate == 150_000)
        script.now += 999_999
        #expect(try ask(0, isThrottled: true).rate == 150_000)
        script.now += 1
        #expect(try ask(0, isThrottled: true).rate == 75_000)
        script.now += 999_999
        #expect(try ask(0).rate == 75_000)
        script.now += 1
        #expect(try ask(0) == Answer(granted: 0, first: -9 * 9_524, interval: 9_524, rate: 105_000))
        script.now += 6_500_000
        #expect(try ask(0).rate == 285_000)
        script.now += 500_000
        #expect(try ask(0).rate == 300_000)
    }

    @Test func `the rate never falls below one a second, or the configured one`() throws {
        for (configured, lowest) in [(300_000, 1_000), (1_000, 1_000), (400, 400)] {
            try script.server.command("DEL", Self.key)
            var rate = configured
            for _ in 0..<20 {
                rate = try ask(0, rate: configured, isThrottled: true).rate
                // So soon nothing is restored, but the rate may be halved.
                script.now += 1_000_000
                try store("thr", "\(script.now)")
            }
            #expect(rate == lowest)
        }
    }

    /// The rules once more, in Swift, and `AdaptiveRate` itself.
    private struct Model {
        let configured: Int
        var adaptive: AdaptiveRate
        var tat = Int.min

        init(configured: Int) {
            self.configured = configured
            adaptive = AdaptiveRate(Rate(perThousandSeconds: Int64(configured)))
        }

        mutating func ask(_ wanted: Int, longest: Int, isThrottled: Bool, now: Int) -> Answer {
            let instant = Instant(nanoseconds: Int64(now) * 1_000)
            if isThrottled { adaptive.throttled(now: instant) }
            let rate = Int(adaptive.current(now: instant).perThousandSeconds)
            let interval = (1_000_000_000 + rate - 1) / rate
            let burst = max(rate / 10_000, 1)
            let tolerance = (burst - 1) * interval
            if tat < now || tat > now + 1_000_000 + tolerance + (burst + 1) * interval { tat = now }
            let first = tat - tolerance - now
            var granted = 0
            if wanted > 0, first <= min(longest, 1_000_000) {
                granted = min(wanted, max(1, burst * (1_000_000 - max(first, 0)) / 1_000_000))
                tat += granted * interval
            }
            return Answer(granted: granted, first: first, interval: interval, rate: rate)
        }
    }

    @Test(arguments: [(300_000, 1), (300_000, 2), (10_000, 3), (1_000, 4), (12_345_000, 5)] as [(Int, UInt64)])
    func `any sequence of questions is answered by the rules`(configured: Int, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var model = Model(configured: configured)
        for _ in 0..<400 {
            script.now += [0, 0, 7, 3_333, 100_000, 999_999, 1_000_000, 4_000_000].randomElement(using: &random) ?? 0
            let wanted = Int.random(in: 0...60, using: &random)
            let longest = [0, 5_000, 500_000, 30_000_000].randomElement(using: &random) ?? 0
            let isThrottled = Int.random(in: 0..<20, using: &random) == 0
            let answer = try ask(wanted, rate: configured, longest: longest, isThrottled: isThrottled)
            let expected = model.ask(wanted, longest: longest, isThrottled: isThrottled, now: script.now)
            try #require(answer == expected)
        }
    }
}
