import KMSEmulator
import KMSPlatform
import KMSTestSupport

extension ModelSession {
    /// Runs the program through this session.
    func run() async throws -> ModelRecord {
        let emulator = try Emulator(
            Emulator.Configuration(usesTLS: usesTLS, faults: faults.map(Fault.init(parsing:)), randomSeed: seed))
        defer { emulator.stop() }
        var environment = EmulatedKMS.credentials
        environment["NCLOUD_KMS_ENDPOINT"] = emulator.endpoint
        environment["NCLOUD_KMS_CA_FILE"] = emulator.certificateFile
        let parent = ending == .endOfParent ? try ChildProcess("/bin/sleep", ["600"]) : nil
        var arguments = arguments
        if let parent { arguments += ["--parent-pid", "\(parent.processID)"] }
        let server = try engineServer()
        defer { server?.kill() }
        if let url = server?.url ?? (engine == .absent ? "unix:///no/such/engine.sock" : nil) {
            arguments += ["--shared", url] + (sharesKeys ? ["--shared-keys", "on"] : [])
        }

        let (input, answers) = try channels()
        let outcome = try await ServiceProcess.run(
            arguments: arguments, environment: environment, input: input, output: answers, readsLines: false,
            readsLog: true
        ) { process in
            try await onOwnThread {
                var client = ModelClient(process)
                return try client.play(self, parent: parent)
            }
        }
        return ModelRecord(
            output: outcome.result.output, log: outcome.log, status: outcome.status, parent: parent?.processID,
            wasKilled: outcome.result.wasKilled)
    }

    /// Without Redis, sessions run without an engine: the same answers are right.
    private func engineServer() throws -> RedisServer? {
        guard engine == .running || engine == .silent, RedisServer.Kind.redis.isInstalled else { return nil }
        let server = try RedisServer()
        if engine == .silent { server.pause() }
        return server
    }

    private func channels() throws -> (Channel, Channel) {
        switch transport {
        case .pipes: return (try .pipeToProgram(), try .pipeFromProgram())
        case .smallPipe:
            let output = try Channel.pipeFromProgram()
            _ = fcntl(output.ours, 1031 /* F_SETPIPE_SZ */, 4_096)
            return (try .pipeToProgram(), output)
        case .inputSocket: return (try .socket(), try .pipeFromProgram())
        case .oneSocket:
            let socket = try Channel.socket()
            return (socket, try socket.copied())
        }
    }
}

/// The client's side of a session, on one thread: writes, and reads what comes, unless it has stopped reading.
private struct ModelClient {
    private let process: ServiceProcess
    private var output: [UInt8] = []
    private var isReading = true
    private var outputEnded = false
    /// The program has closed its input.
    private var inputEnded = false
    private var wasKilled = false

    /// Far more than any session takes: the longest time limit of a call, and the slowness of a machine that does much
    /// else.
    private static let timeLimit = Duration.seconds(60)
    private let deadline = SystemClock().now + timeLimit

    init(_ process: ServiceProcess) {
        self.process = process
        // Only our ends: the program's are other open files.
        for descriptor in [process.input, process.output] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
    }

    mutating func play(_ session: ModelSession, parent: ChildProcess?) throws -> (output: [UInt8], wasKilled: Bool) {
        for step in session.steps {
            switch step {
            case .send(let bytes): try send(bytes)
            case .stopReading: isReading = false
            case .awaitAnswer(let text):
                isReading = true
                try wait { $0.contains(answerTo: text, after: $1) }
            }
        }
        switch session.ending {
        case .endOfInput, .exit(closesInput: true): process.closeInput()
        case .invalidFrame:
            // A frame that is only begun ends here.
            process.closeInput()
        case .exit, .shutdown: break
        case .signal(let number): process.signal(number)
        case .signals(let first, let second):
            process.signal(first)
            process.signal(second)
        case .endOfParent: parent?.signal(SIGKILL)
        case .closedOutput:
            process.closeOutput()
            try waitForEnd()
            return (output, wasKilled)
        }
        // A client that has stopped reading finds only what is left after a signal.
        if session.isCutShort, !isReading { try waitForEnd() }
        isReading = true
        try wait { _, _ in false }
        try waitForEnd()
        return (output, wasKilled)
    }

    // MARK: Bytes

    private mutating func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty, !inputEnded {
            let count = rest.withUnsafeBytes { write(process.input, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EPIPE, ECONNRESET: inputEnded = true
            case EAGAIN:
                // It waits for us to read.
                isReading = true
                try pollOnce(writes: true)
            case EINTR: break
            default: throw PlatformError("write")
            }
        }
    }

    /// Reads until there is what is wanted, or the output ends.
    private mutating func wait(until isReached: ([UInt8], Int) -> Bool) throws {
        var seen = 0
        while !outputEnded {
            if output.count != seen, isReached(output, seen) { return }
            seen = output.count
            try pollOnce(writes: false)
        }
    }

    private mutating func pollOnce(writes: Bool) throws {
        var entries: [pollfd] = []
        if isReading, !outputEnded { entries.append(pollfd(fd: process.output, events: Int16(POLLIN), revents: 0)) }
        if writes { entries.append(pollfd(fd: process.input, events: Int16(POLLOUT), revents: 0)) }
        poll(&entries, nfds_t(entries.count), CInt(clamping: max(0, (deadline - SystemClock().now).milliseconds)))
        if SystemClock().now >= deadline { killIt() }
        guard entries.contains(where: { $0.fd == process.output && $0.revents != 0 }) else { return }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(process.output, &buffer, buffer.count)
        if count > 0 {
            output += buffer[..<count]
        } else if count == 0 || errno == ECONNRESET {
            outputEnded = true
        } else if errno != EAGAIN, errno != EINTR {
            throw PlatformError("read")
        }
    }

    // MARK: The end

    private mutating func killIt() {
        wasKilled = true
        process.signal(SIGKILL)
    }

    private mutating func waitForEnd() throws {
        let processID = id_t(process.processID)
        while true {
            var information = siginfo_t()
            let status = waitid(P_PID, processID, &information, WEXITED | WNOWAIT | WNOHANG)
            if status != 0, errno != EINTR { return }
            if status == 0, information.si_signo != 0 { return }
            if SystemClock().now >= deadline, !wasKilled { killIt() }
            // For what the kernel tells only to those who ask.
            poll(nil, 0, 1)
        }
    }
}

extension [UInt8] {
    /// Whether the answer to an id has begun, as far as that was not seen in the first bytes.
    fileprivate func contains(answerTo id: String, after start: Int) -> Bool {
        let text = Array("\"id\":\(id)".utf8)
        return withUnsafeBufferPointer { bytes in
            // It may have begun in what was seen.
            var place = Swift.max(0, start - text.count)
            while place + text.count <= bytes.count {
                guard let quote = bytes[place...].firstIndex(of: text[0]), quote + text.count <= bytes.count else {
                    return false
                }
                if memcmp(bytes.baseAddress! + quote, text, text.count) == 0 { return true }
                place = quote + 1
            }
            return false
        }
    }
}
