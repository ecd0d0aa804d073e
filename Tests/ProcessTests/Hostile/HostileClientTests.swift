import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// Clients that do not keep to what is usual hurt nobody: memory is bounded, the exit prompt, no answer lost.
@Suite(.timeLimit(.minutes(5))) struct HostileClientTests {
    /// Their answers are far more than is kept for a client that does not read.
    private static let flood = 60_000

    /// Writes requests on a thread of its own, until all are written or the program has gone.
    private static func startFlood(_ process: ServiceProcess) -> Task<Void, any Error> {
        Task {
            try await onOwnThread {
                for start in stride(from: 1, through: flood, by: 1_000) {
                    let lines = (start..<(start + 1_000)).map { Lines.probe($0) + "\n" }
                    try process.send(Array(lines.joined().utf8))
                }
            }
        }
    }

    /// Waits until the program has stopped reading though there is something to read.
    private static func waitUntilStalled(_ process: ServiceProcess) async throws {
        let files = ProcessFiles(processID: process.processID)
        let input = process.input
        _ = try await onOwnThreadPolling {
            let before = try files.threads()
            var unread: CInt = 0
            guard ioctl(input, UInt(FIONREAD), &unread) == 0 else { throw PlatformError("ioctl FIONREAD") }
            let after = try files.threads()
            return unread > 0 && before == after && after.values.allSatisfy(\.isAsleep) ? true : nil
        }
    }

    @Test func `a client that never reads is not read from any more, and its end is noticed`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            let writer = Self.startFlood(process)
            try await Self.waitUntilStalled(process)
            let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
            #expect(peak < 60_000 || ProcessFiles.isSanitized, "\(peak) KiB")
            process.closeOutput()
            try await process.waitForEnd()
            await #expect(throws: PlatformError.self) { try await writer.value }
        }
        #expect(outcome.status == 0)
        #expect(outcome.logLines.count == 2, "\(outcome.log)")
    }

    @Test func `a client that never reads can be ended by a signal`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            let writer = Self.startFlood(process)
            try await Self.waitUntilStalled(process)
            process.signal(SIGTERM)
            try await process.waitForEnd()
            await #expect(throws: PlatformError.self) { try await writer.value }
        }
        #expect(outcome.status == 0)
    }

    @Test func `a client that reads late loses no answer`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            let writer = Self.startFlood(process)
            try await Self.waitUntilStalled(process)
            async let text = onOwnThread { try contents(of: "/proc/self/fd/\(process.output)") }
            try await writer.value
            process.closeInput()
            return try await text
        }
        // All are alike but for their ids.
        let one = try await ServiceProcess.answers(to: Lines.probe("\"ID\"")).result
        #expect(one.count == 1)
        let expected = (1...Self.flood).map { (one.first ?? "").replacing("\"ID\"", with: "\($0)") + "\n" }.joined()
        let isWhole = outcome.result == expected
        #expect(isWhole)
        #expect(outcome.status == 0)
    }

    @Test func `a client that dies with calls in flight is noticed at once`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment, readsLines: false) { process in
                try process.send(Array((1...100).map { Lines.getPublicKey($0) + "\n" }.joined().utf8))
                process.closeInput()
                process.closeOutput()
                try await process.waitForEnd()
            }
            #expect(outcome.status == 0)
        }
    }

    @Test func `a flood of notifications is taken in, in little memory`() async throws {
        let notification = #"{"jsonrpc":"2.0","method":"no.such","params":["\#(String(repeating: "x", count: 100))"]}"#
        let outcome = try await ServiceProcess.run { process in
            let text = Array(String(repeating: notification + "\n", count: 100_000).utf8)
            try await onOwnThread { try process.send(text) }
            let answer = try await process.ask(Lines.probe(1))
            #expect(answer.id == "1")
            let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
            #expect(peak < 40_000 || ProcessFiles.isSanitized, "\(peak) KiB")
            process.closeInput()
            return await process.rest()
        }
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
    }

    @Test func `a flood of calls as notifications is held back as requests are`() async throws {
        try await EmulatedKMS.with { kms in
            let outcome = try await ServiceProcess.run(
                arguments: ["--max-in-flight", "4"], environment: kms.environment
            ) { process in
                let call = #"{"jsonrpc":"2.0","method":"getPublicKey","params":["demo-ec"]}"#
                try process.send(Array(String(repeating: call + "\n", count: 100).utf8))
                let status = try await process.ask(Lines.request(1, "getStatus"))
                let inFlight = status.result?["requests"]?["inFlight"]?.integer ?? .max
                #expect((1...4).contains(inFlight))
                #expect(status.result?["requests"]?["received"]?.integer == 101)
                process.closeInput()
                return await process.rest()
            }
            #expect(outcome.result == [])
            #expect(outcome.status == 0)
        }
    }

    @Test func `a request that comes byte by byte is a request`() async throws {
        try await EmulatedKMS.with { kms in
            let input = try Channel.socket()
            let outcome = try await ServiceProcess.run(environment: kms.environment, input: input, readsLog: true) {
                process in
                try await onOwnThread {
                    for byte in Array((Lines.probe(1) + "\r\n" + Lines.getPublicKey(2) + "\n").utf8) {
                        try process.send([byte])
                    }
                }
                return [try await process.nextAnswer(), try await process.nextAnswer()]
            }
            #expect(outcome.result.map(\.id) == ["1", "2"])
            #expect(outcome.result.map(\.code) == [-32601, nil])
        }
    }

    @Test func `a batch of more members than may be in flight is answered whole`() async throws {
        try await EmulatedKMS.with { kms in
            let members = (1...200).map { Lines.getPublicKey($0, $0.isMultiple(of: 2) ? "demo-ec" : "nobody") }
            let outcome = try await ServiceProcess.answers(
                to: "[\(members.joined(separator: ","))]", arguments: ["--max-in-flight", "2"],
                environment: kms.environment)
            try #require(outcome.result.count == 1)
            let answers = try WireAnswer.batch(outcome.result[0])
            #expect(answers.map(\.id).sorted() == (1...200).map(String.init).sorted())
            #expect(answers.allSatisfy { $0.code == ((Int($0.id) ?? 0).isMultiple(of: 2) ? nil : 1004) })
            #expect(outcome.status == 0)
        }
    }

    @Test func `beyond the calls that may be in flight nothing is started, not even a cancel`() async throws {
        let gate = Gate()
        let responder = try RawResponder { connection in
            while true {
                try connection.readRequest()
                gate.wait()
                try connection.send(RawResponder.answer("404 Not Found"))
            }
        }
        defer { responder.stop() }
        let outcome = try await ServiceProcess.run(
            arguments: ["--endpoint", responder.baseURL, "--max-in-flight", "2"],
            environment: EmulatedKMS.credentials
        ) { process in
            let cancel = #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#
            let text = [Lines.probe(0), Lines.getPublicKey(1), Lines.getPublicKey(2), cancel, Lines.probe(3)]
            try process.send(Array(text.map { $0 + "\n" }.joined().utf8))
            let first = try await process.nextAnswer()
            _ = try await ProcessFiles(processID: process.processID).settled()
            gate.open()
            process.closeInput()
            return [first] + (try WireAnswer.all(await process.rest()))
        }
        let answers = outcome.result
        #expect(answers.first?.id == "0")
        #expect(answers.map(\.id).sorted() == ["0", "1", "2", "3"])
        // Whichever call came first: neither was cancelled before one had ended, and 3 came behind that one.
        #expect(answers.dropFirst().first?.code == 1004)
        #expect(outcome.status == 0)
    }
}
