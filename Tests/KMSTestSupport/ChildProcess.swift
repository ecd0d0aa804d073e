import KMSPlatform

/// A program that a test runs: a command whose output it wants, or a server that it talks to over sockets.
///
/// It is killed when this object is freed. Only `waitForLine`, `waitForExit` and `run` block.
package final class ChildProcess: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let program: String
    package let processID: pid_t
    /// The read end of its stdout and stderr.
    private let outputDescriptor: Int32
    private let state = Lock(State())

    private struct State {
        var text: [UInt8] = []
        var hasExited = false
    }

    /// - Parameters:
    ///   - program: an absolute path.
    ///   - environment: all of its variables, as `NAME=VALUE`.
    package init(
        _ program: String, _ arguments: [String], environment: [String] = ["PATH=/usr/bin:/bin", "LC_ALL=C"]
    ) throws {
        self.program = program
        let (reader, writer) = try Descriptors.pipe()
        outputDescriptor = reader
        defer { close(writer) }
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, writer, 1)
        posix_spawn_file_actions_adddup2(&actions, writer, 2)

        var processID: pid_t = 0
        let status = withCStrings([program] + arguments) { arguments in
            withCStrings(environment) { environment in
                PrivateDescriptors.whileNoneIsOpened {
                    posix_spawn(&processID, program, &actions, nil, arguments, environment)
                }
            }
        }
        self.processID = processID
        guard status == 0 else {
            state.withLock { $0.hasExited = true }
            throw PlatformError("posix_spawn of \(program)", errorNumber: status)
        }
    }

    deinit {
        let mustKill = state.withLock { !$0.hasExited }
        if mustKill {
            kill(processID, SIGKILL)
            _ = exitStatus()
        }
        close(outputDescriptor)
    }

    /// Sends it a signal, unless it has been waited for.
    package func signal(_ number: Int32) {
        state.withLock { state in
            if !state.hasExited { kill(processID, number) }
        }
    }

    /// Stops it with SIGSTOP, and waits until it has stopped. Not if it is stopped already.
    package func stop() {
        signal(SIGSTOP)
        while waitpid(processID, nil, WUNTRACED) < 0, errno == EINTR {}
    }

    /// Runs a command to its end.
    ///
    /// - Returns: what it wrote.
    /// - Throws: `Failure` with what it wrote, if its status is not 0.
    @discardableResult
    package static func run(_ program: String, _ arguments: [String]) throws -> String {
        try ChildProcess(program, arguments).waitForExit()
    }

    /// Waits until it has written a whole line that contains this.
    package func waitForLine(containing part: String) throws -> String {
        while true {
            let text = state.withLock { String(decoding: $0.text, as: UTF8.self) }
            let whole = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            if let line = whole.first(where: { $0.contains(part) }) { return String(line) }
            guard readMore() else { throw Failure(description: "\(program) ended without \"\(part)\":\n\(text)") }
        }
    }

    /// What it has written as far as it has been read.
    package var output: String { state.withLock { String(decoding: $0.text, as: UTF8.self) } }

    /// Waits for its end.
    @discardableResult
    package func waitForExit() throws -> String {
        while readMore() {}
        let status = exitStatus()
        let text = state.withLock { state in
            state.hasExited = true
            return String(decoding: state.text, as: UTF8.self)
        }
        guard status == 0 else { throw Failure(description: "\(program) ended with status \(status):\n\(text)") }
        return text
    }

    /// - Returns: false at the end of its output.
    private func readMore() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = read(outputDescriptor, &buffer, buffer.count)
        if count < 0 { return errno == EINTR }
        state.withLock { $0.text += buffer[..<count] }
        return count > 0
    }

    /// As `waitpid` gives it: 0 is success.
    private func exitStatus() -> Int32 {
        var status: Int32 = -1
        while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return status
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeMutableBufferPointer { buffer in
        // The array has at least the nil at its end, so it has an address.
        body(buffer.baseAddress!)
    }
}
