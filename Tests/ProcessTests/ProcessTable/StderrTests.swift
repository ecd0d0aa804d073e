import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "stderr" and "a terminal on stdin".
@Suite(.timeLimit(.minutes(5))) struct StderrTests {
    private static let requests = (1...5_000).map { Lines.probe($0) + "\n" } + ["no JSON\n"]

    /// More than a pipe holds: each refused message makes a line at this level.
    private static let noise = [String](repeating: "no JSON\n", count: 5_000)

    @Test func `a log that nobody reads holds nothing up`() async throws {
        let outcome = try await ServiceProcess.run(arguments: ["--log-level", "debug"], readsLog: false) { process in
            try await onOwnThread {
                try process.send(Array((Self.noise + Self.requests).joined().utf8))
                process.closeInput()
            }
            return await process.rest()
        }
        #expect(outcome.result.count == Self.noise.count + Self.requests.count)
        #expect(outcome.status == 0)
    }

    @Test func `a log whose reader has gone holds nothing up`() async throws {
        let errors = try Channel.pipeFromProgram()
        close(errors.ours)
        let outcome = try await ServiceProcess.run(
            arguments: ["--log-level", "debug"], errors: Channel(program: errors.program), readsLog: false
        ) { process in
            try await onOwnThread {
                try process.send(Array((Self.noise + Self.requests).joined().utf8))
                process.closeInput()
            }
            return await process.rest()
        }
        #expect(outcome.result.count == Self.noise.count + Self.requests.count)
        #expect(outcome.status == 0)
    }

    /// The symptom: the sentence alone, which does not say which name is wrong.
    @Test func `the line of a notification that was dropped says what is wrong in it`() async throws {
        let long = String(repeating: "x", count: 300)
        let outcome = try await ServiceProcess.answers(
            to: #"{"jsonrpc":"2.0","method":"getStatus","params":{"\u202ekey":1}}"# + "\n"
                + #"{"jsonrpc":"2.0","method":"\#(long)"}"# + "\n",
            arguments: ["--log-format", "text"])
        let lines = outcome.logLines.filter { $0.contains("dropped a notification") }
        #expect(lines.count == 2, "\(outcome.log)")
        #expect(lines.first?.contains(#" parameter=\u{202e}key reason="is not a parameter"#) == true, "\(outcome.log)")
        #expect(lines.last?.hasSuffix(" reason=\(long.prefix(256))") == true, "\(outcome.log)")
    }

    @Test func `stderr carries log lines and nothing else`() async throws {
        let outcome = try await ServiceProcess.answers(to: "rubbish\n\(Lines.probe(1))\n")
        #expect(outcome.logLines.count == 2)
        #expect(outcome.logLines.first?.contains(#""message":"serving""#) == true)
        #expect(outcome.logLines.last?.contains(#""message":"ended""#) == true)
    }

    /// The symptom: `"status":"404"`.
    @Test func `in a JSON log numbers are numbers`() async throws {
        let outcome = try await EmulatedKMS.with { kms in
            try await ServiceProcess.answers(
                to: Lines.getPublicKey(7, "nobody"), arguments: ["--log-level", "debug"], environment: kms.environment)
        }
        let lines = try outcome.logLines.map { try JSONValue(parsing: String($0)) }
        let attempt = try #require(lines.first { $0["message"]?.string == "attempt ended" })
        #expect(attempt["status"]?.integer == 404 && attempt["attempt"]?.integer == 1)
        #expect(attempt["totalUs"]?.integer != nil && attempt["reusedConnection"]?.bool == false)
        #expect(attempt["requests"]?.string == "7", "an id is text, whatever it looks like")
        #expect(lines.last?["answered"]?.integer == 1)
    }

    @Test func `somebody at a terminal gets help on stderr, with a line that works when it is pasted`() async throws {
        let outcome = try await ServiceProcess.run(input: try .terminal(), readsLog: true) { process in
            let line = await process.logLine(containing: #"{"jsonrpc""#)
            let answer = try await process.answer(to: line ?? "")
            // As a person ends it, with ctrl-D.
            try process.send([4])
            return [answer] + (await process.rest())
        }
        #expect(outcome.result.count == 1)
        #expect(try WireAnswer(outcome.result[0] ?? "").code == 1001)
        #expect(outcome.log.contains("stdin") || outcome.log.contains("--help"))
        #expect(outcome.logLines.prefix { !$0.contains("serving") }.count <= 5)
        #expect(outcome.status == 0)
    }

    @Test func `a terminal that is hung up is the end of the input`() async throws {
        let terminal = try Channel.terminal()
        let outcome = try await ServiceProcess.run(input: terminal, readsLog: true) { process in
            let answer = try await process.answer(to: Lines.probe(1))
            process.closeInput()
            return [answer] + (await process.rest())
        }
        #expect(outcome.result.count == 1)
        #expect(outcome.status == 0)
    }
}
