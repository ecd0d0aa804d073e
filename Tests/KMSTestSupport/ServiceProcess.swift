import KMSPlatform
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A running program of this package, and its standard descriptors: lines in, lines out.
public final class ServiceProcess: Sendable {
    /// How a run ended.
    public struct Outcome<Result: Sendable>: Sendable {
        public let result: Result
        /// The exit status, or minus the signal's number.
        public let status: Int
        /// Everything that it wrote to stderr, if that was read.
        public let log: String

        /// The lines of the log.
        public var logLines: [Substring] { log.split(separator: "\n") }
    }

    public let processID: CInt
    /// Our ends of its stdin and stdout. `output` may be read only if no lines are read.
    public let input: CInt
    public let output: CInt
    private let lines: LineReader?
    private let logLines: LineReader?
    private let open: Lock<(input: Bool, output: Bool)>

    private init(processID: CInt, input: CInt, output: CInt, lines: LineReader?, logLines: LineReader?) {
        self.processID = processID
        self.input = input
        self.output = output
        self.lines = lines
        self.logLines = logLines
        open = Lock((input >= 0, output >= 0 && lines == nil))
    }

    /// Runs a program while `body` talks to it, then closes its stdin and waits for its end.
    ///
    /// - Parameters:
    ///   - environment: all variables except `PATH` and `HOME`, and an address for the metadata service where nothing listens.
    ///   - readsLines: whether stdout is read continuously, for `nextLine` and `rest`.
    public static func run<Result: Sendable>(
        _ program: String = "ncloud-kms-rpc", arguments: [String] = [], environment: [String: String] = [:],
        readsLines: Bool = true, body: (ServiceProcess) async throws -> Result
    ) async throws -> Outcome<Result> {
        try await run(
            program, arguments: arguments, environment: environment, readsLines: readsLines, readsLog: true,
            body: body)
    }

    /// As above, with other standard descriptors than pipes.
    ///
    /// - Parameters:
    ///   - input, output, errors: stdin, stdout and stderr; nil makes a pipe.
    ///   - readsLog: whether stderr is read continuously.
    package static func run<Result: Sendable>(
        _ program: String = "ncloud-kms-rpc", arguments: [String] = [], environment: [String: String] = [:],
        input: Channel? = nil, output: Channel? = nil, errors: Channel? = nil, readsLines: Bool = true,
        readsLog: Bool, body: (ServiceProcess) async throws -> Result
    ) async throws -> Outcome<Result> {
        // A write to a program that has ended must fail, and not end the tests.
        _ = KMSPlatform.signal(SIGPIPE, SIG_IGN)
        let input = try input ?? .pipeToProgram()
        let output = try output ?? .pipeFromProgram()
        let errors = try errors ?? .pipeFromProgram()
        let lines = readsLines && output.ours >= 0 ? try LineReader(output.ours, keepsText: false) : nil
        let logLines = readsLog && errors.ours >= 0 ? try LineReader(errors.ours, keepsText: true) : nil
        defer { if logLines == nil, errors.ours >= 0 { close(errors.ours) } }

        let result = try await Subprocess.run(
            .path(FilePath(BuiltProducts.path(of: program))),
            arguments: Arguments(arguments), environment: .custom(Self.variables(environment)),
            input: .fileDescriptor(FileDescriptor(rawValue: input.program), closeAfterSpawningProcess: true),
            output: .fileDescriptor(FileDescriptor(rawValue: output.program), closeAfterSpawningProcess: true),
            error: .fileDescriptor(FileDescriptor(rawValue: errors.program), closeAfterSpawningProcess: true)
        ) { execution in
            let process = ServiceProcess(
                processID: execution.processIdentifier.value, input: input.ours, output: output.ours, lines: lines,
                logLines: logLines)
            defer {
                process.closeInput()
                process.closeOutput()
            }
            do {
                return try await body(process)
            } catch {
                // It may wait for something that will not come now.
                process.signal(SIGKILL)
                throw error
            }
        }
        while await logLines?.next() != nil {}
        return Outcome(
            result: result.closureResult, status: Self.status(result.terminationStatus), log: logLines?.text ?? "")
    }

    /// The exit status, or minus the signal's number.
    package static func status(_ status: TerminationStatus) -> Int {
        switch status {
        case .exited(let code): Int(code)
        case .signaled(let signal): -Int(signal)
        }
    }

    private static func variables(_ environment: [String: String]) -> [Environment.Key: String] {
        // No test may ask the metadata service of a real cloud, which answers at its own address.
        var variables: [Environment.Key: String] = [
            "PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
            "NCLOUD_METADATA_API_ENDPOINT": "http://127.0.0.1:9",
        ]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        return variables
    }

    /// Runs a program with an input that is complete from the start.
    ///
    /// - Returns: the lines that it wrote.
    public static func answers(
        _ program: String = "ncloud-kms-rpc", to text: String, arguments: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> Outcome<[String]> {
        try await run(program, arguments: arguments, environment: environment) { process in
            let bytes = Array(text.utf8)
            try await onOwnThread {
                do {
                    try process.send(bytes)
                } catch let error as PlatformError where error.errorNumber == EPIPE {
                    // It has ended without reading everything; its status says why.
                }
                process.closeInput()
            }
            return await process.rest()
        }
    }

    /// Runs a program to its end with an input that is complete from the start.
    ///
    /// - Returns: every byte of its stdout.
    /// - Parameter environment: as for `run`.
    package static func output(
        _ program: String = "ncloud-kms-rpc", of arguments: [String], input: [UInt8] = [],
        environment: [String: String] = [:]
    ) async throws -> Outcome<[UInt8]> {
        let run = try await Subprocess.run(
            .path(FilePath(BuiltProducts.path(of: program))), arguments: Arguments(arguments),
            environment: .custom(variables(environment)), input: .array(input), output: .bytes(limit: 16 << 20),
            error: .string(limit: 1 << 20))
        return Outcome(
            result: run.standardOutput, status: Self.status(run.terminationStatus), log: run.standardError)
    }

    /// Writes a line and its LF.
    public func send(_ line: String) throws {
        try send(Array("\(line)\n".utf8))
    }

    /// Writes all of the bytes; waits while the pipe is full.
    public func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { throw PlatformError("write") }
            rest = rest.dropFirst(count)
        }
    }

    /// The next line that the program wrote, without its end; nil at the end of its output.
    public func nextLine() async -> String? {
        await lines?.next()
    }

    /// Sends a line and waits for the next one.
    public func answer(to line: String) async throws -> String? {
        try send(line)
        return await nextLine()
    }

    /// All lines up to the end of its output.
    public func rest() async -> [String] {
        var all: [String] = []
        while let line = await nextLine() { all.append(line) }
        return all
    }

    /// Waits for a line of the log that holds a text; nil if none came before its end.
    @discardableResult
    public func logLine(containing text: String) async -> String? {
        while let line = await logLines?.next() {
            if line.contains(text) { return line }
        }
        return nil
    }

    /// Ends the program's input. May be called again.
    public func closeInput() {
        open.withLock { open in
            guard open.input else { return }
            // A socket may also be the program's stdout, and so have another descriptor here.
            shutdown(input, CInt(SHUT_WR))
            close(input)
            open.input = false
        }
    }

    /// Stops reading its answers, if no lines are read.
    public func closeOutput() {
        open.withLock { open in
            if open.output { close(output) }
            open.output = false
        }
    }

    public func signal(_ number: CInt) {
        kill(processID, number)
    }

    /// Waits until it has ended by itself.
    public func waitForEnd() async throws {
        let processID = id_t(processID)
        try await onOwnThread {
            var information = siginfo_t()
            // It stays a zombie until its status is collected; after that the call fails.
            while waitid(P_PID, processID, &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        }
    }
}

/// Runs blocking code on its own thread: the cooperative pool has only a few.
public func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try Thread.start(name: "test-blocking") { continuation.resume(with: Swift.Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// The executables that were built with the tests.
public enum BuiltProducts {
    /// The path of an executable of this package; an absolute path of any program stays what it is.
    public static func path(of name: String) -> String {
        if name.hasPrefix("/") { return name }
        let bundle = CommandLine.arguments[0]
        let directory = bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } ?? "."
        return "\(directory)/\(name)"
    }
}
