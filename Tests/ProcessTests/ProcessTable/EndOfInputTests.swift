import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "end of stdin" and "stdout closed by you".
@Suite(.timeLimit(.minutes(5))) struct EndOfInputTests {
    /// The symptom: the answers were lost, as those are of calls that wait for the service.
    @Test func `getStatus and exit in one write: every answer is there`() async throws {
        let text = (1...5).map { Lines.request($0, "getStatus") + "\n" }.joined()
        let outcome = try await ServiceProcess.answers(to: text + #"{"jsonrpc":"2.0","method":"exit"}"# + "\n")
        #expect(try WireAnswer.all(outcome.result).map(\.id) == ["1", "2", "3", "4", "5"])
        #expect(outcome.status == 0)
    }

    @Test func `what is in flight at the end of the input is answered`() async throws {
        let outcome = try await EmulatedKMS.with(faults: ["delay=100"]) { kms in
            let keys = ["demo-rsa", "demo-ec", "demo-aes", "nobody"]
            return try await ServiceProcess.answers(
                // The last line lacks its end.
                to: keys.enumerated().map { Lines.getPublicKey($0.offset, $0.element) }.joined(separator: "\n"),
                environment: kms.environment)
        }
        let answers = try WireAnswer.all(outcome.result).sorted { $0.id < $1.id }
        #expect(answers.map(\.id) == ["0", "1", "2", "3"])
        #expect(answers.map(\.code) == [nil, nil, 1005, 1004])
        #expect(outcome.status == 0)
    }

    @Test func `what hangs at the end of the input is answered at its deadline`() async throws {
        let outcome = try await EmulatedKMS.with(faults: ["hang"]) { kms in
            try await ServiceProcess.answers(
                to: Lines.getPublicKey(1, timeoutMilliseconds: 50), environment: kms.environment)
        }
        #expect(try WireAnswer.all(outcome.result).map(\.code) == [1009], "\(outcome.result) \(outcome.log)")
        #expect(outcome.status == 0)
    }

    @Test(arguments: ["", "\n", " \t \r\n\n", "\u{FEFF}", "\u{FEFF}\n"])
    func `an input of nothing is answered with nothing`(_ text: String) async throws {
        let outcome = try await ServiceProcess.answers(to: text)
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
    }

    @Test func `after the end of the input the answers wait for a slow reader`() async throws {
        let count = 5_000
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            try await onOwnThread {
                try process.send(Array((1...count).map { Lines.probe($0) + "\n" }.joined().utf8))
                process.closeInput()
            }
            // It has read everything, and its pipe is full: nothing can happen before we read.
            _ = try await ProcessFiles(processID: process.processID).settled()
            return try await onOwnThread { try contents(of: "/proc/self/fd/\(process.output)") }
        }
        let answers = try WireAnswer.all(outcome.result.split(separator: "\n").map(String.init))
        #expect(answers.map(\.id) == (1...count).map(String.init))
        #expect(outcome.status == 0)
    }

    /// The symptom: what was not read soon was lost, and the last line was cut in the middle. How long it waits is for the
    /// tests of the connection, which have a clock of their own.
    @Test func `after exit the answers wait for a slow reader, though the input stays open`() async throws {
        let count = 20
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            let requests = (1...count).map { Lines.request($0, "rpc.discover") + "\n" }.joined()
            try process.send(Array((requests + #"{"jsonrpc":"2.0","method":"exit"}"# + "\n").utf8))
            try await process.waitForOutput()
            let output = process.output
            return try await onOwnThread { try contents(of: "/proc/self/fd/\(output)") }
        }
        let answers = try WireAnswer.all(outcome.result.split(separator: "\n").map(String.init))
        #expect(answers.map(\.id) == (1...count).map(String.init))
        #expect(outcome.status == 0)
    }

    @Test func `a reader that hangs up ends it quietly, though its input is open`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            try process.send(Lines.probe(1))
            var first: UInt8 = 0
            #expect(read(process.output, &first, 1) == 1)
            process.closeOutput()
            try await process.waitForEnd()
        }
        #expect(outcome.status == 0)
        #expect(outcome.logLines.count == 2, "\(outcome.log)")
    }

    @Test func `a reader that hangs up under load ends it quietly, and with few lines in the log`() async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            let writer = Task {
                try await onOwnThread {
                    // Ends with an error, when nobody is left to read.
                    while true { try process.send(Lines.probe(1)) }
                }
            }
            let output = process.output
            try await onOwnThread {
                var first: UInt8 = 0
                #expect(read(output, &first, 1) == 1)
            }
            process.closeOutput()
            try await process.waitForEnd()
            await #expect(throws: PlatformError.self) { try await writer.value }
        }
        #expect(outcome.status == 0)
        #expect(outcome.logLines.count == 2, "\(outcome.log)")
    }

    @Test func `a host that allows SIGPIPE again changes nothing`() async throws {
        let output = try Channel.pipeFromProgram()
        close(output.ours)
        let outcome = try await ServiceProcess.run(
            "/usr/bin/env", arguments: ["--default-signal=PIPE", BuiltProducts.path(of: "ncloud-kms-rpc")],
            output: Channel(program: output.program), readsLog: true
        ) { process in
            try await process.waitForEnd()
        }
        #expect(outcome.status == 0)
    }
}
