import Platform
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A built program that runs, spoken to over pipes: lines in, lines out.
public final class ServiceProcess: Sendable {
    /// How it went.
    public struct Outcome<Result: Sendable>: Sendable {
        public let result: Result
        /// The exit status, or minus the signal's number.
        public let status: Int
        /// Everything that it wrote to stderr.
        public let log: String
    }

    public let processID: CInt
    /// The ends of its pipes that are ours.
    public let input: CInt
    public let output: CInt
    private let lines: AsyncStream<String>
    private let state: Lock<(iterator: AsyncStream<String>.Iterator?, isInputOpen: Bool)>

    private init(processID: CInt, input: CInt, output: CInt, readsLines: Bool) throws {
        self.processID = processID
        self.input = input
        self.output = output
        let (lines, continuation) = AsyncStream<String>.makeStream()
        self.lines = lines
        state = Lock((nil, true))
        guard readsLines else {
            continuation.finish()
            return
        }
        try Thread.start(name: "test-reader") {
            var pending: [UInt8] = []
            while let chunk = readChunk(output) {
                pending += chunk
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    continuation.yield(String(decoding: pending[..<end], as: UTF8.self))
                    pending.removeSubrange(...end)
                }
            }
            if !pending.isEmpty { continuation.yield(String(decoding: pending, as: UTF8.self)) }
            continuation.finish()
        }
    }

    /// Runs a program while `body` talks to it, then closes its stdin and waits for its end.
    ///
    /// - Parameters:
    ///   - environment: the whole of it, but for `PATH`, a `HOME` that does not exist, and a metadata service
    ///     that nobody answers for.
    ///   - readsLines: whether stdout is read all the time, for `nextLine` and `rest`.
    public static func run<Result: Sendable>(
        _ program: String = "ncloud-kms-rpc", arguments: [String] = [], environment: [String: String] = [:],
        readsLines: Bool = true, body: (ServiceProcess) async throws -> Result
    ) async throws -> Outcome<Result> {
        let toProgram = try Descriptors.pipe()
        let fromProgram = try Descriptors.pipe()
        let errors = try Descriptors.pipe()
        let log = Lock<[UInt8]>([])
        let (logEnd, logContinuation) = AsyncStream<Void>.makeStream()
        try Thread.start(name: "test-log") {
            while let chunk = readChunk(errors.read) { log.withLock { $0 += chunk } }
            logContinuation.finish()
        }

        // The metadata service of a real cloud may answer at its own address: no test asks it.
        var variables: [Environment.Key: String] = [
            "PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
            "NCLOUD_METADATA_API_ENDPOINT": "http://127.0.0.1:9",
        ]
        for (name, value) in environment { variables[Environment.Key(stringLiteral: name)] = value }
        let result = try await Subprocess.run(
            .path(FilePath(program.hasPrefix("/") ? program : BuiltProducts.path(of: program))),
            arguments: Arguments(arguments), environment: .custom(variables),
            input: .fileDescriptor(FileDescriptor(rawValue: toProgram.read), closeAfterSpawningProcess: true),
            output: .fileDescriptor(FileDescriptor(rawValue: fromProgram.write), closeAfterSpawningProcess: true),
            error: .fileDescriptor(FileDescriptor(rawValue: errors.write), closeAfterSpawningProcess: true)
        ) { execution in
            let process = try ServiceProcess(
                processID: execution.processIdentifier.value, input: toProgram.write, output: fromProgram.read,
                readsLines: readsLines)
            defer { process.closeInput() }
            return try await body(process)
        }
        for await _ in logEnd {}
        close(errors.read)
        close(fromProgram.read)
        let status =
            switch result.terminationStatus {
            case .exited(let code): Int(code)
            case .signaled(let signal): -Int(signal)
            }
        return Outcome(
            result: result.closureResult, status: status,
            log: log.withLock { String(decoding: $0, as: UTF8.self) })
    }

    /// Runs a program on an input that is complete from the start, and gives its answers.
    public static func answers(
        _ program: String = "ncloud-kms-rpc", to text: String, arguments: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> Outcome<[String]> {
        try await run(program, arguments: arguments, environment: environment) { process in
            let bytes = Array(text.utf8)
            try await onOwnThread {
                try process.send(bytes)
                process.closeInput()
            }
            return await process.rest()
        }
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
        var iterator = state.withLock { $0.iterator } ?? lines.makeAsyncIterator()
        let line = await iterator.next()
        state.withLock { [iterator] in $0.iterator = iterator }
        return line
    }

    /// All lines up to the end of its output.
    public func rest() async -> [String] {
        var all: [String] = []
        while let line = await nextLine() { all.append(line) }
        return all
    }

    /// What the program sees as the end of its input. Once is enough.
    public func closeInput() {
        state.withLock { state in
            if state.isInputOpen { close(input) }
            state.isInputOpen = false
        }
    }

    public func signal(_ number: CInt) {
        kill(processID, number)
    }
}

/// Runs what blocks on a thread of its own, since the cooperative pool has few.
public func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        do {
            try Thread.start(name: "test-blocking") { continuation.resume(with: Swift.Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// What a read brings; nil at the end.
private func readChunk(_ descriptor: CInt) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = read(descriptor, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : nil
}
