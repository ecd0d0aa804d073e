import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// What goes wrong on a connection.
@Suite(.timeLimit(.minutes(5))) struct FaultConnectionTests {
    /// What a server does on every connection, and what the client sees of it.
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var script: [RawResponder.Step]
        /// Nil: the key comes.
        var code: Int?
        var attempts: Int
        var httpStatus: Int?
        var reason: String?

        var testDescription: String { name }

        init(
            _ name: String, _ script: [RawResponder.Step], _ code: Int?, _ attempts: Int, _ httpStatus: Int? = nil,
            reason: String? = nil
        ) {
            (self.name, self.script, self.code, self.attempts) = (name, script, code, attempts)
            (self.httpStatus, self.reason) = (httpStatus, reason)
        }
    }

    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    private static let length = "Content-Length: \(keyBody.utf8.count)\r\n\r\n"
    private static let good = head + length + keyBody
    private static let half = String(keyBody.prefix(keyBody.count / 2))
    private static let chunked = head + "Transfer-Encoding: chunked\r\n\r\n"

    private static let lost: [Row] = [
        Row("reset before the request", [.reset], 1008, 3, reason: "attempts"),
        Row("reset before the header", [.readRequest, .reset], 1008, 3, reason: "attempts"),
        Row("reset in the header", [.readRequest, .send(head), .reset], 1008, 3, reason: "attempts"),
        Row("reset in the body", [.readRequest, .send(head + length + half), .reset], 1008, 3, reason: "attempts"),
        Row("closed before the header", [.readRequest], 1008, 3, reason: "attempts"),
        Row("closed in the header", [.readRequest, .send(head)], 1008, 3, reason: "attempts"),
        Row("cut body", [.readRequest, .send(head + length + half)], 1008, 3, reason: "attempts"),
        Row("cut chunk", [.readRequest, .send(chunked + "ff\r\n" + half)], 1008, 3, reason: "attempts"),
        Row("no HTTP", [.readRequest, .send("\u{1}\u{2} not HTTP\r\n\r\n")], 1010, 2, reason: "attempts"),
    ]

    private static let answers: [Row] = [
        Row("closed after the answer", [.readRequest, .send(good)], nil, 1),
        Row("100-continue", [.readRequest, .send("HTTP/1.1 100 Continue\r\n\r\n" + good)], nil, 1),
        Row("early hints", [.readRequest, .send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + good)], nil, 1),
        Row("body until the end", [.readRequest, .send("HTTP/1.1 200 OK\r\n\r\n" + keyBody)], nil, 1),
        Row(
            "chunked and trickling body",
            [.readRequest, .send(chunked)]
                + keyBody.map { .send("1\r\n\($0 == "\n" ? "\n" : String($0))\r\n") } + [.send("0\r\n\r\n")], nil, 1),
        Row(
            "101",
            [.readRequest, .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), .waitUntilPeerCloses],
            1010, 1, 101),
        Row("204", [.readRequest, .send("HTTP/1.1 204 No Content\r\n\r\n")], 1010, 1, 204),
        Row(
            "redirect",
            [.readRequest, .send(RawResponder.answer("307 Go", headers: ["Location: http://127.0.0.1:1/"]))],
            1010, 1, 307),
        Row(
            "64 KiB", [.readRequest, .send(head + "Content-Length: 65536\r\n\r\n" + padded(to: 64 << 10))], nil, 1),
        Row(
            "64 KiB + 1", [.readRequest, .send(head + "Content-Length: 65537\r\n\r\n" + padded(to: (64 << 10) + 1))],
            1010, 1, reason: "too-large"),
        Row(
            "64 KiB + 1, until the end",
            [.readRequest, .send("HTTP/1.1 200 OK\r\n\r\n" + padded(to: (64 << 10) + 1))], 1010, 1,
            reason: "too-large"),
        Row(
            "trailers of 100 KB",
            [
                .readRequest,
                .send(
                    chunked + "2\r\n{}\r\n0\r\n" + String(repeating: "X-Filler: 0123456789\r\n", count: 4_500) + "\r\n"),
            ], 1010, 1, reason: "too-large"),
        Row(
            "chunk extension of 100 KB",
            [
                .readRequest,
                .send(chunked + "2;x=" + String(repeating: "x", count: 100_000) + "\r\n{}\r\n0\r\n\r\n"),
            ], 1010, 1, reason: "too-large"),
        Row(
            "gzip",
            [
                .readRequest, .send(head + "Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"),
                .sendBytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ], 1010, 2, 200, reason: "attempts"),
    ]

    private static func padded(to count: Int) -> String {
        keyBody + String(repeating: " ", count: count - keyBody.utf8.count)
    }

    @Test(arguments: lost + answers)
    func `a fault is told by its code, after as many attempts as may help`(row: Row) async throws {
        let responder = try RawResponder(row.script)
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: responder.baseURL) { process in
            let answer = try await process.getPublicKey(#"{"keyTag":"k"}"#)
            #expect(answer.code == row.code, "\(answer.message)")
            #expect(answer.attempts == row.attempts)
            #expect(answer.httpStatus == row.httpStatus)
            #expect(answer.reason == row.reason)
            if row.code == nil { #expect(answer.publicKey == demoKey) }
        }
        #expect(responder.connectionCount == row.attempts)
    }

    // MARK: Servers that can't be reached

    @Test func `a refused connection is 1008 after three attempts`() async throws {
        // The discard service's port, on which nobody listens.
        _ = try await ServiceProcess.run(endpoint: "https://127.0.0.1:9") { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == 3)
            #expect(answer.message.contains("refused"))
        }
    }

    @Test func `a name without an address is 1008`() async throws {
        _ = try await ServiceProcess.run(endpoint: "https://kms.invalid") { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == 1)
            #expect(answer.message.contains("kms.invalid"))
        }
    }

    @Test func `an address that answers nothing is 1009 at the deadline`() async throws {
        let port = try UnansweringPort()
        _ = try await ServiceProcess.run(endpoint: "https://127.0.0.1:\(port.number)") { process in
            let answer = try await process.getPublicKey(#"{"keyTag":"k","timeoutMs":300}"#)
            #expect(answer.code == 1009)
            #expect(answer.attempts == 1)
            #expect(answer.message.contains("connecting"), "\(answer.message)")
        }
        withExtendedLifetime(port) {}
    }

    // MARK: The emulator's faults

    @Test(
        arguments: [
            ("reset", 3, 1008), ("reset=body", 3, 1008), ("close", 3, 1008), ("truncate", 3, 1008), ("empty", 2, 1010),
            ("trickle=0", 1, nil), ("delay=30", 1, nil),
        ] as [(String, Int, Int?)])
    func `the faults come over TLS, too`(fault: String, attempts: Int, code: Int?) async throws {
        try await EmulatedKMS.with(faults: [fault]) { kms in
            _ = try await kms.run { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == code, "\(answer.message)")
                #expect(answer.attempts == attempts)
            }
            #expect(kms.emulator.state.total == attempts)
        }
    }

    @Test func `a service that hangs is 1009 at the deadline, and its connection is closed`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            _ = try await kms.run { process in
                // Long enough for a handshake on a busy machine.
                let answer = try await process.getPublicKey(#"{"keyTag":"demo-rsa","timeoutMs":2000}"#)
                #expect(answer.code == 1009)
                #expect(answer.reason == "answer")
                #expect(answer.attempts == 1)
                try await kms.emulator.waitForState { $0.aborted == 1 && $0.openConnections == 0 }
            }
            #expect(kms.emulator.state.total == 1)
        }
    }

    // MARK: Recycled connections

    @Test(arguments: [(1, 200), (7, 1_000), (200, 2_000)])
    func `no call fails if the service closes the connection after every n-th answer`(count: Int, calls: Int)
        async throws
    {
        try await EmulatedKMS.with(seed: RecycledConnections.seed, faults: ["close-every=\(count)"]) {
            (kms) async throws in
            _ = try await kms.run(RecycledConnections.arguments) { (process) async throws in
                #expect(try await RecycledConnections.failures(of: calls, process) == 0)
                #expect(try await process.status()["upstream"]?["failures"]?.integer == 0)
            }
            #expect(kms.emulator.state.total >= calls)
            #expect(kms.emulator.state.perConnection.allSatisfy { $0 <= count })
        }
    }

    @Test func `a connection that the service closed while it was idle is not missed`() async throws {
        try await EmulatedKMS.with { kms in
            _ = try await kms.run { process in
                for round in 1...20 {
                    let answer = try await process.getPublicKey()
                    #expect(answer.code == nil, "\(answer.message)")
                    #expect(answer.attempts == 1)
                    #expect(kms.emulator.state.total == round)
                    kms.emulator.closeIdleConnections()
                }
            }
        }
    }

    @Test func `a slow service answers a thousand waiting calls`() async throws {
        let key = Seed.demo.keys[1]
        let seed = Seed(
            keys: (0..<1_000).map { number in
                var key = key
                key.keyTag = "k\(number)"
                return key
            })
        try await EmulatedKMS.with(seed: seed, faults: ["delay=20"]) { kms in
            _ = try await kms.run { process in
                let text = (0..<1_000).map { Lines.getPublicKey($0, "k\($0)") + "\n" }.joined()
                try await onOwnThread { try process.send(Array(text.utf8)) }
                for _ in 0..<1_000 { #expect(try await process.nextFaultAnswer().code == nil) }
            }
            #expect(kms.emulator.state.total == 1_000)
            #expect(kms.emulator.state.openedConnections <= 32)
        }
    }

    @Test func `calls that wait for a hanging service each say what they waited for`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            _ = try await kms.run { process in
                for id in 0..<32 { try process.send(Lines.getPublicKey(id, "k\(id)")) }
                try await kms.emulator.waitForState { $0.total == 32 }
                for id in 32..<100 { try process.send(Lines.getPublicKey(id, "k\(id)", timeoutMilliseconds: 200)) }
                for _ in 32..<100 {
                    let answer = try await process.nextFaultAnswer()
                    #expect(answer.code == 1009)
                    #expect(answer.reason == "connection")
                    #expect(answer.message.contains("free connection"))
                    #expect(answer.attempts == nil)
                }
                for id in 0..<32 { try process.send(Lines.cancel(id)) }
                for _ in 0..<32 { #expect(try await process.nextFaultAnswer().code == -32800) }
                // A free connection is for those who still wait, and nobody does.
                try await kms.emulator.waitForState { $0.aborted == 32 && $0.openConnections == 0 }
            }
            #expect(kms.emulator.state.total == 32)
        }
    }

    /// - 14: a few connections can be opened. Once, the attempts that found no descriptor failed, and took the retry quota
    ///   with them.
    /// - 9: the least that the program starts with, so that none is left for a connection. Once, libcurl could not open the
    ///   CA file then, and the answer was 1011, never to be repeated.
    @Test(arguments: [(descriptors: 14, code: 1004), (descriptors: 9, code: 1008)])
    func `with few descriptors every call is served, and with none it hears what to do`(
        descriptors: Int, code: Int
    ) async throws {
        try await EmulatedKMS.with { kms in
            let outcome = try await ServiceProcess.run(
                "/bin/sh",
                arguments: [
                    "-c", #"ulimit -n \#(descriptors); exec "$0" "$@""#, BuiltProducts.path(of: "ncloud-kms-rpc"),
                    "--max-connections", "32", "--max-attempts", "1",
                ],
                environment: kms.environment
            ) { process in
                // There is no such key.
                for id in 0..<32 { try process.beginGetPublicKey(id, #"{"keyTag":"k\#(id)"}"#) }
                return try await process.nextFaultAnswers(32)
            }
            #expect(outcome.result.map(\.code) == Array(repeating: code, count: 32))
            for answer in outcome.result where answer.code == 1008 { #expect(answer.message.contains("ulimit -n")) }
            #expect(outcome.status == 0)
        }
    }
}

extension Lines {
    /// Ends a call.
    static func cancel(_ id: some CustomStringConvertible) -> String {
        #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":\#(id)}}"#
    }
}
