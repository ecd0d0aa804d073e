import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite(.enabled(if: hasRedis, "redis-server is not installed")) struct FlightScriptTests {
    private static let entry = "nkms:1:k:{0}"
    private static let marker = "nkms:1:f:{0}"

    private let script: ScriptFixture

    init() throws {
        script = try ScriptFixture(.flight)
    }

    /// - Returns: the word, and the entry after a colon.
    private func run(_ words: String...) throws -> String {
        let reply = try script.run(keys: [Self.entry, Self.marker], words.map { Array($0.utf8) })
        let elements = try #require(reply.elements, "\(reply)")
        let word = try #require(elements.first?.text)
        // A number of Lua in a reply is an integer.
        #expect(elements.dropFirst().first?.integer == script.now)
        #expect(elements.count == (word == "entry" ? 3 : 2))
        #expect(FlightReply(.array(elements)) != nil, "\(word)")
        return ([word] + elements.dropFirst(2).compactMap(\.text)).joined(separator: ":")
    }

    private func get(_ name: String) throws -> String { try script.server.command("GET", name) }

    private func life(of name: String) throws -> Int {
        let life = try script.server.command("PTTL", name)
        return try #require(Int(life))
    }

    private func sha1(_ text: String) throws -> String {
        try script.server.command("EVAL", "return redis.sha1hex(ARGV[1])", "0", text)
    }

    @Test func `the first leads, and the others wait until it has stored the entry`() throws {
        #expect(try run("ask", "a", "") == "lead")
        #expect(try get(Self.marker) == "a")
        #expect(try (1...1_000).contains(life(of: Self.marker)))
        #expect(try run("ask", "b", "") == "wait")
        #expect(try run("ask", "a", "") == "lead")
        #expect(try run("store", "a", "the entry", "5000") == "done")
        #expect(try (1...5_000).contains(life(of: Self.entry)))
        #expect(try script.server.command("EXISTS", Self.marker) == "0")
        #expect(try run("ask", "b", "") == "entry:the entry")
        // Nobody leads because of that.
        #expect(try script.server.command("EXISTS", Self.marker) == "0")
    }

    @Test func `an entry that a process can't use is passed over by that one alone`() throws {
        try script.server.command("SET", Self.entry, "the entry")
        let digest = try sha1("the entry")
        #expect(try run("ask", "a", digest) == "lead")
        #expect(try run("ask", "b", digest) == "wait")
        #expect(try run("ask", "c", "") == "entry:the entry")
        #expect(try run("ask", "c", self.sha1("another")) == "entry:the entry")
        #expect(try run("store", "a", "a new one", "5000") == "done")
        #expect(try run("ask", "b", digest) == "entry:a new one")
    }

    @Test func `the leader keeps its marker, and nobody else does`() throws {
        #expect(try run("ask", "a", "") == "lead")
        try script.server.command("PEXPIRE", Self.marker, "600")
        #expect(try run("renew", "b") == "done")
        #expect(try life(of: Self.marker) <= 600)
        #expect(try run("renew", "a") == "done")
        #expect(try life(of: Self.marker) > 600)
        #expect(try run("release", "b") == "done")
        #expect(try run("ask", "b", "") == "wait")
        #expect(try run("release", "a") == "done")
        #expect(try run("ask", "b", "") == "lead")
        // Too late.
        #expect(try run("renew", "a") == "done")
        #expect(try run("release", "a") == "done")
        #expect(try run("refuse", "a", "0") == "done")
        #expect(try get(Self.marker) == "b")
        #expect(try run("store", "a", "late", "5000") == "done")
        #expect(try get(Self.marker) == "b")
        #expect(try run("ask", "c", "") == "entry:late")
    }

    @Test func `nobody leads after the service refused the leader`() throws {
        try script.server.command("SET", Self.entry, "old")
        let digest = try sha1("old")
        #expect(try run("ask", "a", digest) == "lead")
        #expect(try run("refuse", "a", "0") == "done")
        #expect(try (1_001...2_000).contains(life(of: Self.marker)))
        #expect(try run("ask", "b", digest) == "alone")
        #expect(try run("ask", "b", "") == "entry:old")
        #expect(try run("refuse", "b", "1") == "done")
        #expect(try script.server.command("EXISTS", Self.entry) == "0")
        #expect(try run("ask", "c", "") == "alone")
        // As after 2 s.
        try script.server.command("DEL", Self.marker)
        #expect(try run("ask", "c", "") == "lead")
    }

    /// The entry that is there, the entry to store, the one that is passed over, and whether it is stored. The engine's clock
    /// shows 1,700,000,000,000 ms.
    static let meetings: [(String?, String, String?, Bool)] = [
        (nil, "1 5 1 tag -", nil, true), ("1 5 1 tag -", "1 6 1 tag -", nil, true),
        ("1 5 1 old -", "1 5 1 new -", nil, true), ("1 6 1 tag -", "1 5 1 tag -", nil, false),
        ("1 10 1 tag -", "1 9 1 tag -", nil, false),
        // A process that can't use an entry replaces it, whatever it says of itself.
        ("1 6 1 tag -", "1 5 1 tag -", "1 6 1 tag -", true), ("1 6 1 tag -", "1 5 1 tag -", "1 7 1 tag -", false),
        ("1 1700000005000 1 tag -", "1 1700000000000 1 tag -", nil, false),
        // From the future, or not an entry.
        ("1 1700000005001 1 tag -", "1 1700000000000 1 tag -", nil, true),
        ("1 9999999999999999999999 1 tag -", "1 5 1 tag -", nil, true), ("1 -6 1 tag -", "1 5 1 tag -", nil, true),
        ("2 6 1 tag -", "1 5 1 tag -", nil, true), ("rubbish", "1 5 1 tag -", nil, true),
        ("", "1 5 1 tag -", nil, true),
        ("1 6 " + String(repeating: "x", count: 4_093), "1 5 1 tag -", nil, true),
    ]

    @Test func `an entry is not replaced by an older one`() throws {
        for (present, new, passedOver, isStored) in Self.meetings {
            try script.server.command("FLUSHALL")
            #expect(try run("ask", "a", "") == "lead")
            if let present { try script.server.command("SET", Self.entry, present) }
            let digest = try passedOver.map(sha1) ?? ""
            let answer = try run("store", "a", new, "5000", digest)
            #expect(answer == (isStored ? "done" : "kept"), "\(present ?? "-"), \(new)")
            #expect(try get(Self.entry) == (isStored ? new : present))
            // Whoever waits finds it there.
            #expect(try script.server.command("EXISTS", Self.marker) == "0")
        }
    }

    @Test func `a leader that vanishes is replaced`() throws {
        #expect(try run("ask", "a", "") == "lead")
        try script.server.command("PEXPIRE", Self.marker, "20")
        var answer: String
        repeat { answer = try run("ask", "b", "") } while answer == "wait"
        #expect(answer == "lead")
        #expect(try get(Self.marker) == "b")
    }

    @Test func `a marker that this script can't have set does not count`() throws {
        for command in [
            ["SET", "x"], ["SET", "x", "PX", "60000"], ["SET", "0"], ["RPUSH", "x"], ["HSET", "x", "y"],
        ] {
            try script.server.command("DEL", Self.marker)
            try script.server.command([command[0], Self.marker] + command.dropFirst())
            #expect(try run("ask", "a", "") == "lead")
            #expect(try get(Self.marker) == "a")
            #expect(try (1...1_000).contains(life(of: Self.marker)))
        }
    }

    @Test func `an entry of another type is none, and is replaced`() throws {
        for command in ["RPUSH", "SADD"] {
            try script.server.command("DEL", Self.marker)
            try script.server.command(command, Self.entry, "x")
            #expect(try run("ask", "a", "") == "lead")
            try script.server.command(command, Self.entry, "x")
            #expect(try run("store", "a", "the entry", "5000") == "done")
            #expect(try run("ask", "b", "") == "entry:the entry")
            try script.server.command("DEL", Self.entry)
        }
    }

    @Test func `an entry that is too long is told so by one more byte`() throws {
        for count in [0, 4_096, 4_097, 4_098, 20_000] {
            let text = String(repeating: "x", count: count)
            try script.server.command("SET", Self.entry, text)
            #expect(try run("ask", "a", "") == "entry:\(text.prefix(4_097))")
        }
    }

    @Test func `a missing right is the script's error`() throws {
        try script.server.command("ACL", "SETUSER", "default", "-get")
        let reply = try script.run(keys: [Self.entry, Self.marker], ["ask", "a", ""].map { Array($0.utf8) })
        guard case .error(let error) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(error.kind == .refused)
    }
}
