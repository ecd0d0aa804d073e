import KMSPlatform
import Testing

@testable import NCloudKMS

@Suite struct EngineReplyTests {
    private static func bytes(_ text: String) -> EngineReply { .bytes(Array(text.utf8)) }

    /// Feeds a text in pieces.
    private func read(_ text: String, piece: Int = .max) throws -> [EngineReply] {
        let reader = EngineReplyReader()
        var replies: [EngineReply] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try rest.prefix(piece).withUnsafeBytes { try reader.feed($0) }
            rest = rest.dropFirst(piece)
            while let reply = try reader.next() { replies.append(reply) }
        }
        return replies
    }

    @Test func `replies are read whole and in pieces of any size`() throws {
        let text =
            "+OK\r\n+\r\n-NOSCRIPT No matching script.\r\n:-9223372036854775808\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n"
            + "*0\r\n*4\r\n:1\r\n$1\r\nx\r\n*2\r\n+a\r\n$-1\r\n-ERR no\r\n:7\r\n"
        let expected: [EngineReply] = [
            .status(Array("OK".utf8)), .status([]), .error(EngineError("NOSCRIPT No matching script.".utf8)),
            .integer(.min), Self.bytes("a\r\nbc"), Self.bytes(""), .null, .null, .array([]),
            .array([
                .integer(1), Self.bytes("x"), .array([.status(Array("a".utf8)), .null]),
                .error(EngineError("ERR no".utf8)),
            ]),
            .integer(7),
        ]
        for piece in 1...text.utf8.count { #expect(try read(text, piece: piece) == expected) }
    }

    @Test func `half a reply is none`() throws {
        for text in ["+O", "+OK\r", "$5\r\nabcde\r", "*2\r\n:1\r\n", "*1\r\n*1\r\n"] { #expect(try read(text) == []) }
    }

    @Test(arguments: [
        "?\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\r\n", "\0\0\0\0", ":1a\r\n", ":\r\n", "$-2\r\n", "$x\r\n",
        "$99999999999999999999\r\n", "*-2\r\n", "*x\r\n",
        // More elements than a reply of the permitted size can have: no memory is reserved for them.
        "*16385\r\n", "*2147483647\r\n", "*4294967297\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", String(repeating: "*1\r\n", count: 10_000),
        // RESP3, which was not asked for.
        ",1.5\r\n", "#t\r\n", "%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n", "(1\r\n", "=5\r\ntxt:a\r\n",
        "*1\r\n#t\r\n",
    ])
    func `what is not RESP2 is refused`(text: String) {
        for piece in [1, .max] {
            #expect(throws: EngineReplyReader.Problem.malformed, "\(text)") { try read(text, piece: piece) }
        }
    }

    @Test func `a reply has a largest size`() throws {
        let limit = EngineReplyReader.largestReply
        let head = "$65526\r\n"
        let largest = head + String(repeating: "x", count: limit - head.utf8.count - 2) + "\r\n"
        #expect(largest.utf8.count == limit)
        for piece in [4_096, .max] {
            // The limit is for each.
            #expect(try read(largest + largest + "+OK\r\n", piece: piece).count == 3)
        }
        let tooLarge = [
            "$65527\r\n" + String(repeating: "x", count: 65_527) + "\r\n",
            "+" + String(repeating: "x", count: limit), "$1048576\r\n" + String(repeating: "x", count: 1 << 20),
            "*16384\r\n" + String(repeating: ":1\r\n", count: 16_384),
        ]
        for text in tooLarge {
            for piece in [4_096, .max] {
                #expect(throws: EngineReplyReader.Problem.tooLarge) { try read("+OK\r\n" + text, piece: piece) }
            }
        }
    }

    @Test(arguments: [
        ("NOSCRIPT No matching script. Please use EVAL.", EngineError.Kind.noScript, "NOSCRIPT"),
        ("READONLY You can't write against a read only replica.", .unavailable, "READONLY"),
        ("LOADING Redis is loading the dataset in memory", .unavailable, "LOADING"),
        ("MASTERDOWN Link with MASTER is down", .unavailable, "MASTERDOWN"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .unavailable, "TRYAGAIN"),
        ("BUSY Redis is busy running a script.", .unavailable, "BUSY"),
        ("MISCONF Redis is configured to save RDB snapshots", .unavailable, "MISCONF"),
        ("NOREPLICAS Not enough good replicas to write.", .unavailable, "NOREPLICAS"),
        ("OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.", .unavailable, "OOM"),
        // Redis 6.
        (
            "ERR Error running script (call to f_1): @user_script:9: OOM command not allowed when used memory",
            .unavailable, "OOM"
        ),
        ("ERR Error running script (call to f_1): @user_script: 9: Unknown Redis command", .refused, "ERR"),
        ("ERR max number of clients reached", .unavailable, "ERR"),
        ("NOAUTH Authentication required.", .refused, "NOAUTH"),
        ("WRONGPASS invalid username-password pair or user is disabled.", .refused, "WRONGPASS"),
        ("NOPERM User app has no permissions to run the 'evalsha' command", .refused, "NOPERM"),
        ("ERR The user executing the script can't run this command or subcommand script: 1", .refused, "ERR"),
        ("MOVED 3999 127.0.0.1:6381", .refused, "MOVED"), ("ASK 3999 127.0.0.1:6381", .refused, "ASK"),
        ("CLUSTERDOWN Hash slot not served", .refused, "CLUSTERDOWN"),
        ("CROSSSLOT Keys in request don't hash to the same slot", .refused, "CROSSSLOT"),
        ("ERR unknown command 'EVALSHA'", .refused, "ERR"), ("", .refused, ""), ("oops", .refused, "oops"),
    ])
    func `an error says whether it passes by itself`(text: String, kind: EngineError.Kind, code: String) {
        let error = EngineError(text.utf8)
        #expect(error.kind == kind)
        #expect(error.code == code)
        #expect(error.loss.kind == (kind == .refused ? .refused : .unreachable))
        #expect(error.loss.message.hasPrefix("the engine "))
        #expect(!error.loss.message.hasSuffix("."))
    }

    @Test func `an error is repeated in part, and never in answer to the login`() {
        let long = EngineError(("ERR " + String(repeating: "é", count: 10_000)).utf8)
        #expect(long.text.utf8.count <= 256)
        #expect(EngineError(String(repeating: "A", count: 10_000).utf8).code.utf8.count == 32)
        let echo = EngineError("ERR unknown command 'AUTH', with args beginning with: 'default' 'hunter2'".utf8)
        let full = EngineError("ERR max number of clients reached by AUTH default hunter2".utf8)
        #expect(
            full.lossOfLogin(user: "default", .init()).message
                == "the engine has too many clients; raise its maxclients")
        for error in [echo, EngineError("hunter2".utf8)] {
            #expect(!error.lossOfLogin(user: "default", .init()).message.contains("hunter2"))
        }
    }
}
