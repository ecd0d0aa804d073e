import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// "No input line ends the session or stays unanswered."
@Suite(.timeLimit(.minutes(5))) struct HostileInputTests {
    @Test func `each of ten thousand hostile lines has the answer that it deserves`() async throws {
        var generator = SeededGenerator(seed: 20_261_124)
        let lines = (0..<10_000).map { HostileLine.random($0, &generator) }
        let outcome = try await ServiceProcess.run { process in
            let writer = Task {
                try await onOwnThread { for line in lines { try process.send(line.bytes + [0x0A]) } }
            }
            // The session lives: the last of all requests is answered.
            var answers: [String] = []
            let collector = Task {
                try await writer.value
                try process.send(Lines.probe("\"last\""))
            }
            while let line = await process.nextLine() {
                if line.hasPrefix(#"{"jsonrpc":"2.0","id":"last""#) { break }
                answers.append(line)
            }
            try await collector.value
            let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
            // What the program is without, some lines of 1 MiB, and the 8 MiB that may wait for a slow reader.
            #expect(peak < 50_000 || ProcessFiles.isSanitized, "\(peak) KiB")
            return answers
        }
        try Self.check(outcome.result, lines)
        #expect(outcome.status == 0)
    }

    /// Answers to an id are found by it. The others are given at once, so in the order of their lines, where batches have
    /// an order of their own.
    private static func check(_ answers: [String], _ lines: [HostileLine]) throws {
        var single: [String: Int] = [:]
        var (refusals, expectedRefusals): ([Int], [Int]) = ([], [])
        var (batches, expectedBatches): ([[Int]], [[Int]]) = ([], [])
        for line in answers {
            if line.hasPrefix("[") {
                batches.append(try WireAnswer.batch(line).map { $0.code ?? 0 })
                continue
            }
            let answer = try WireAnswer(line)
            if answer.id == "null" {
                refusals.append(answer.code ?? 0)
            } else {
                #expect(single.updateValue(answer.code ?? 0, forKey: answer.id) == nil, "twice: \(answer.id)")
            }
        }
        for line in lines {
            switch line.expectation {
            case .nothing: break
            case .error(let code, let id) where id != "null":
                let found = single.removeValue(forKey: id)
                #expect(found == code, "\(String(decoding: line.bytes.prefix(200), as: UTF8.self))")
            case .error(let code, _): expectedRefusals.append(code)
            case .errors(let codes): expectedBatches.append(codes)
            }
        }
        #expect(single.isEmpty)
        #expect(refusals == expectedRefusals)
        #expect(batches == expectedBatches)
    }

    @Test(arguments: ["rubbish", "{", "\u{0}\u{1}\u{2}", "HTTP/1.1 200 OK\r", "Content", "[[[[", "\u{FEFF}\u{FEFF}"])
    func `a first line of rubbish is answered as such, and the session goes on`(_ rubbish: String) async throws {
        let outcome = try await ServiceProcess.answers(to: "\(rubbish)\n\(Lines.probe(1))\n")
        #expect(try WireAnswer.all(outcome.result).map(\.code) == [-32700, -32601])
        #expect(outcome.status == 0)
    }

    @Test func `a line of 64 MiB is refused in little memory`() async throws {
        let outcome = try await ServiceProcess.run { process in
            try await onOwnThread { try Self.sendLine(of: 64 << 20, to: process) }
            let refusal = try await process.nextAnswer()
            #expect(refusal.id == "null")
            #expect(refusal.code == -32600)
            #expect(try await process.ask(Lines.probe(1)).code == -32601)
            let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
            #expect(peak < 40_000 || ProcessFiles.isSanitized)
        }
        #expect(outcome.status == 0)
    }

    @Test func `a line of 64 MiB is read where it is allowed, and one byte more is not`() async throws {
        let limit = 64 << 20
        let outcome = try await ServiceProcess.run(arguments: ["--max-message-bytes", "\(limit)"]) { process in
            try await onOwnThread { try Self.sendLine(of: limit, to: process) }
            #expect(try await process.nextAnswer().code == -32601)
            try await onOwnThread { try Self.sendLine(of: limit + 1, to: process) }
            #expect(try await process.nextAnswer().code == -32600)
            let peak = try ProcessFiles(processID: process.processID).peakMemoryKiB()
            // The line, the room to grow for it, and what the program is without.
            #expect(peak < 3 * limit / 1_024 + 40_000 || ProcessFiles.isSanitized, "\(peak) KiB")
        }
        #expect(outcome.status == 0)
    }

    /// A request that nobody can obey, of exactly `count` bytes.
    private static func sendLine(of count: Int, to process: ServiceProcess) throws {
        let head = Array(#"{"jsonrpc":"2.0","id":1,"method":"no.such","params":[""#.utf8)
        let tail = Array("\"]}\n".utf8)
        try process.send(head)
        var rest = count - head.count - tail.count + 1
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        while rest > 0 {
            try process.send(Array(piece.prefix(rest)))
            rest -= piece.count
        }
        try process.send(tail)
    }
}
