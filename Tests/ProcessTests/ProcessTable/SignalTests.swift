import KMSPlatform
import KMSTestSupport
import Testing

/// `protocol/`, Process: "SIGTERM, SIGINT, SIGHUP" and "--parent-pid".
@Suite(.timeLimit(.minutes(5))) struct SignalTests {
    private static let signals = [SIGTERM, SIGINT, SIGHUP]
    /// How long what is in flight has.
    private static let grace = Duration.seconds(1)

    /// Starts a call that the service never answers, and returns when it is in flight.
    private static func startHangingCall(_ id: Int, _ process: ServiceProcess) async throws {
        try process.send(Lines.getPublicKey(id))
        #expect(try await process.ask(Lines.probe("\"probe\"")).id == "\"probe\"")
    }

    /// Waits until the signal is no longer pending, so that the process has it.
    private static func waitUntilTaken(_ signal: CInt, by process: ServiceProcess) throws {
        let mask = UInt64(1) << UInt64(signal - 1)
        while true {
            let pending = try ProcessFiles(processID: process.processID).status()["ShdPnd"] ?? ""
            guard let signals = UInt64(pending, radix: 16) else { throw ProcessFiles.Unreadable(text: pending) }
            if signals & mask == 0 { return }
            sched_yield()
        }
    }

    /// Reads until a text has come.
    private static func read(_ descriptor: CInt, until text: String) throws {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !String(decoding: bytes, as: UTF8.self).contains(text) {
            let count = KMSPlatform.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw PlatformError("read") }
            bytes += buffer[..<count]
        }
    }

    @Test(arguments: signals)
    func `a signal ends an idle process at once`(_ signal: CInt) async throws {
        let outcome = try await ServiceProcess.run { process in
            _ = try await process.answer(to: Lines.probe(1))
            process.signal(signal)
            return await process.rest()
        }
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
        #expect(outcome.logLines.count == 2, "\(outcome.log)")
    }

    @Test(arguments: signals)
    func `after a signal a call has a second, and is then refused with the shutdown error`(_ signal: CInt) async throws
    {
        let clock = SystemClock()
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                try await Self.startHangingCall(1, process)
                let start = clock.now
                process.signal(signal)
                let answers = await process.rest()
                #expect(clock.now - start >= Self.grace)
                return answers
            }
            let answers = try WireAnswer.all(outcome.result)
            #expect(answers.map(\.id) == ["1"])
            #expect(answers.map(\.code) == [1012])
            #expect(outcome.status == 0)
        }
    }

    @Test(.notUnderThreadSanitizer) func `a call that finishes within the second has its answer`() async throws {
        let gate = Gate()
        let responder = try RawResponder { connection in
            try connection.readRequest()
            gate.wait()
            try connection.send(RawResponder.answer("404 Not Found"))
        }
        defer { responder.stop() }
        let errors = try Channel.pipeFromProgram()
        let outcome = try await ServiceProcess.run(
            arguments: ["--endpoint", responder.baseURL, "--log-level", "debug"], environment: EmulatedKMS.credentials,
            errors: errors, readsLog: false
        ) { process in
            try await Self.startHangingCall(1, process)
            // On a thread of its own from here: a second is not long where tests wait for their turn.
            try await onOwnThread {
                process.signal(SIGTERM)
                try Self.read(errors.ours, until: "stopping")
                gate.open()
            }
            return await process.rest()
        }
        #expect(try WireAnswer.all(outcome.result).map(\.code) == [1004])
        #expect(outcome.status == 0)
    }

    @Test(.notUnderThreadSanitizer) func `each of a thousand calls is refused with the shutdown error`() async throws {
        let count = 1_000
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                try process.send(Array((1..<count).map { Lines.getPublicKey($0) + "\n" }.joined().utf8))
                try await Self.startHangingCall(count, process)
                process.signal(SIGTERM)
                return await process.rest()
            }
            let answers = try WireAnswer.all(outcome.result)
            #expect(answers.allSatisfy { $0.code == 1012 })
            #expect(Set(answers.map(\.id)) == Set((1...count).map(String.init)))
            #expect(answers.count == count)
            #expect(outcome.status == 0)
        }
    }

    @Test func `requests that were read but not started are refused, too`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(
                arguments: ["--max-in-flight", "2"], environment: kms.environment
            ) { process in
                let text = Lines.probe(0) + "\n" + (1...5).map { Lines.getPublicKey($0) + "\n" }.joined()
                // One write, so one read.
                try process.send(Array(text.utf8))
                #expect(try await process.nextAnswer().id == "0")
                process.signal(SIGTERM)
                return await process.rest()
            }
            let answers = try WireAnswer.all(outcome.result)
            #expect(answers.map(\.id).sorted() == ["1", "2", "3", "4", "5"])
            #expect(answers.allSatisfy { $0.code == 1012 })
            #expect(outcome.status == 0)
        }
    }

    /// The symptom: each cancel read the ids of all calls in flight, so that SIGTERM was seen after half a minute.
    @Test(.notUnderThreadSanitizer) func `a signal ends a flood of cancels beside megabytes of ids`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                let length = 1_100
                let ids = (0..<300).map { "\"\($0)\(String(repeating: #"\u0061"#, count: length))\"" }
                try await onOwnThread {
                    for id in ids { try process.send(Lines.getPublicKey(id)) }
                }
                #expect(try await process.ask(Lines.probe(0)).id == "0")
                let cancel = Lines.cancel(#""\u0061""#)
                let flood = Array("[\([String](repeating: cancel, count: 1_000).joined(separator: ","))]\n".utf8)
                let writer = Task {
                    try await onOwnThread {
                        try process.send(flood + Array("\(Lines.probe(1))\n".utf8))
                        // Ends with an error, when nobody is left to read.
                        while true { try process.send(flood) }
                    }
                }
                // The flood has begun.
                #expect(try await process.nextAnswer().id == "1")
                let files = ProcessFiles(processID: process.processID)
                let before = try files.processorTime()
                process.signal(SIGTERM)
                let answers = await process.rest()
                try await process.waitForEnd()
                // One loop for the second and a half of the contract, by the process's own time: that of the machine
                // depends on what else it has to do.
                #expect(try files.processorTime() - before < .seconds(2))
                await #expect(throws: PlatformError.self) { try await writer.value }
                return answers
            }
            let answers = try WireAnswer.all(outcome.result)
            #expect(answers.allSatisfy { $0.code == 1012 })
            // As many as the reader has taken in time.
            #expect((1...300).contains(answers.count))
            #expect(outcome.status == 0)
        }
    }

    /// The symptom: the last line that was read was cut in the middle.
    @Test(arguments: signals)
    func `a reader that comes after a signal finds whole answers alone`(_ signal: CInt) async throws {
        let outcome = try await ServiceProcess.run(readsLines: false) { process in
            try process.send(Array((1...20).map { Lines.request($0, "rpc.discover") + "\n" }.joined().utf8))
            try await process.waitForOutput()
            process.signal(signal)
            try await process.waitForEnd()
            let output = process.output
            return try await onOwnThread { try contents(of: "/proc/self/fd/\(output)") }
        }
        #expect(outcome.result.last == "\n")
        let answers = try WireAnswer.all(outcome.result.split(separator: "\n").map(String.init))
        #expect(answers.map(\.id) == (1...answers.count).map(String.init))
        #expect((1..<20).contains(answers.count))
        #expect(outcome.status == 0)
    }

    @Test(.notUnderThreadSanitizer, arguments: [(SIGTERM, SIGTERM), (SIGTERM, SIGINT), (SIGINT, SIGHUP)])
    func `a second signal ends it on the spot`(_ first: CInt, _ second: CInt) async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(
                arguments: ["--log-level", "debug"], environment: kms.environment
            ) { process in
                try await Self.startHangingCall(1, process)
                // On a thread of its own: a second is not long where tests wait for their turn.
                try await onOwnThread {
                    process.signal(first)
                    try Self.waitUntilTaken(first, by: process)
                    process.signal(second)
                }
                return await process.rest()
            }
            #expect(outcome.result == [])
            #expect(outcome.status == Int(128 + second))
        }
    }

    @Test func `after shutdown and the end of the input a signal still counts`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let outcome = try await ServiceProcess.run(environment: kms.environment) { process in
                try await Self.startHangingCall(1, process)
                #expect(try await process.ask(Lines.request(2, "shutdown")).id == "2")
                process.closeInput()
                // It sleeps again when it has seen the end.
                _ = try await ProcessFiles(processID: process.processID).settled()
                process.signal(SIGTERM)
                return await process.rest()
            }
            #expect(try WireAnswer.all(outcome.result).map(\.code) == [1012])
            #expect(outcome.status == 0)
        }
    }

    @Test(arguments: ["--block-signal=TERM", "--ignore-signal=TERM"])
    func `a host that blocks or ignores a signal can send it all the same`(_ way: String) async throws {
        let outcome = try await ServiceProcess.run(
            "/usr/bin/env", arguments: [way, BuiltProducts.path(of: "ncloud-kms-rpc")]
        ) { process in
            _ = try await process.answer(to: Lines.probe(1))
            process.signal(SIGTERM)
            return await process.rest()
        }
        #expect(outcome.status == 0)
    }

    @Test(arguments: [("HUP", SIGHUP), ("INT", SIGINT)])
    func `a signal that was ignored at the start, as by nohup, stays ignored`(_ name: String, _ signal: CInt)
        async throws
    {
        let outcome = try await ServiceProcess.run(
            "/usr/bin/env", arguments: ["--ignore-signal=\(name)", BuiltProducts.path(of: "ncloud-kms-rpc")]
        ) { process in
            _ = try await process.answer(to: Lines.probe(1))
            process.signal(signal)
            // Had it been seen, this would not be read any more.
            #expect(try await process.ask(Lines.probe(2)).id == "2")
            process.signal(SIGTERM)
            return await process.rest()
        }
        #expect(outcome.result == [])
        #expect(outcome.status == 0)
    }

    // MARK: The parent process

    @Test func `the end of the parent process is as a signal, though its pipe stays open`() async throws {
        try await EmulatedKMS.with(faults: ["hang"]) { kms in
            let endOfParent = Gate()
            let parentID = Lock<CInt>(0)
            let isRunning = Gate()
            async let parent = ServiceProcess.run("/bin/cat") { process in
                parentID.withLock { $0 = process.processID }
                isRunning.open()
                try await onOwnThread { endOfParent.wait() }
            }
            try await onOwnThread { isRunning.wait() }
            let outcome = try await ServiceProcess.run(
                arguments: ["--parent-pid", "\(parentID.withLock { $0 })"], environment: kms.environment
            ) { process in
                try await Self.startHangingCall(1, process)
                endOfParent.open()
                return await process.rest()
            }
            #expect(try WireAnswer.all(outcome.result).map(\.code) == [1012])
            #expect(outcome.status == 0)
            _ = try await parent
        }
    }

    @Test func `a parent process that has ended already is an end at once`() async throws {
        let gone = Lock<CInt>(0)
        _ = try await ServiceProcess.run("/bin/cat") { process in gone.withLock { $0 = process.processID } }
        let outcome = try await ServiceProcess.run(
            arguments: ["--parent-pid", "\(gone.withLock { $0 })"]
        ) { process in
            try await process.waitForEnd()
        }
        #expect(outcome.status == 0)
    }
}
