import KMSPlatform

/// Plays a session of a transcript against the real programs.
package struct TranscriptPlayer {
    /// Where a process did not behave as its transcript says.
    package struct Difference: Sendable, CustomStringConvertible {
        package let lineNumber: Int
        package let description: String
    }

    /// Much longer than any step takes, so that a hang becomes a failure.
    private static let patienceMilliseconds: CInt = 30_000

    private let process: ServiceProcess
    private var pending: [UInt8] = []

    /// - Parameter folder: the transcript's, which words that begin with `./` are relative to.
    /// - Returns: the first difference; nil if there is none.
    package static func play(_ session: Transcript.Session, folder: String) async throws -> Difference? {
        let command = session.command.map { path(of: $0, folder: folder) }
        let outcome = try await ServiceProcess.run(
            command[0], arguments: Array(command.dropFirst()), environment: session.environment, readsLines: false
        ) { process in
            try await onOwnThread {
                var player = TranscriptPlayer(process: process)
                let difference = player.play(session)
                // It may be waiting for something that the transcript would have sent.
                if difference != nil { process.signal(SIGKILL) }
                return difference
            }
        }
        if let difference = outcome.result {
            let log = outcome.log.isEmpty ? "" : "\n  its log:\n\(outcome.log)"
            return Difference(lineNumber: difference.lineNumber, description: difference.description + log)
        }
        let expected = session.exit
        guard outcome.status == expected.status else {
            return Difference(
                lineNumber: expected.lineNumber,
                description: "it ended with status \(outcome.status), not \(expected.status); its log:\n\(outcome.log)")
        }
        return nil
    }

    private static func path(of word: String, folder: String) -> String {
        if word.hasPrefix("./") { return "\(folder)/\(word.dropFirst(2))" }
        return word.hasPrefix("ncloud-kms-") ? BuiltProducts.path(of: word) : word
    }

    private init(process: ServiceProcess) {
        self.process = process
    }

    private mutating func play(_ session: Transcript.Session) -> Difference? {
        for step in session.steps {
            if let description = play(step) {
                return Difference(lineNumber: step.lineNumber, description: description)
            }
        }
        if case .expectExit = session.steps.last?.action { return nil }
        process.closeInput()
        return expectEnd().map { Difference(lineNumber: session.exit.lineNumber, description: $0) }
    }

    /// What went wrong, or nil.
    private mutating func play(_ step: Transcript.Step) -> String? {
        switch step.action {
        case .send(let bytes):
            do { try process.send(bytes) } catch { return "it does not read: \(error)" }
        case .signal(let number): process.signal(number)
        case .closeInput: process.closeInput()
        case .expectExit: return expectEnd()
        case .expectBytes(let bytes):
            while pending.count < bytes.count, pending.elementsEqual(bytes.prefix(pending.count)), readMore() {}
            guard pending.starts(with: bytes) else {
                return Self.report(
                    missing: [String(decoding: bytes, as: UTF8.self)],
                    surplus: [String(decoding: pending, as: UTF8.self)])
            }
            pending.removeFirst(bytes.count)
        case .expectLines(let lines): return expect(lines)
        }
        return nil
    }

    private mutating func expect(_ lines: [TranscriptLine]) -> String? {
        var missing = lines
        var surplus: [[UInt8]] = []
        for _ in lines {
            guard let line = nextLine() else { break }
            if let index = missing.firstIndex(where: { $0.matches(line) }) {
                missing.remove(at: index)
            } else {
                surplus.append(line)
            }
        }
        if missing.isEmpty { return nil }
        return Self.report(missing: missing.map(\.text), surplus: surplus.map { String(decoding: $0, as: UTF8.self) })
    }

    private mutating func expectEnd() -> String? {
        while readMore() {}
        if isOutOfPatience { return "it does not end" }
        guard !pending.isEmpty else { return nil }
        return Self.report(missing: [], surplus: [String(decoding: pending, as: UTF8.self)])
    }

    private static func report(missing: [String], surplus: [String]) -> String {
        var text = ""
        for line in missing { text += "\n  expected  \(line)" }
        for line in surplus { text += "\n  but got   \(line)" }
        if surplus.isEmpty { text += "\n  but got   nothing more" }
        return text
    }

    // MARK: Reading

    private var isOutOfPatience = false

    private mutating func nextLine() -> [UInt8]? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(pending[..<end])
                pending.removeSubrange(...end)
                return line
            }
            guard readMore() else { return nil }
        }
    }

    /// False at the end of the output, or if nothing comes in time.
    private mutating func readMore() -> Bool {
        var entry = pollfd(fd: process.output, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, Self.patienceMilliseconds) > 0 else {
            isOutOfPatience = true
            return false
        }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(process.output, &buffer, buffer.count)
        guard count > 0 else { return false }
        pending += buffer[..<count]
        return true
    }
}

extension Transcript.Session {
    /// The status that the process must end with, and the line that says so.
    fileprivate var exit: (status: Int, lineNumber: Int) {
        if let step = steps.last, case .expectExit(let status) = step.action { return (status, step.lineNumber) }
        return (0, steps.last?.lineNumber ?? lineNumber)
    }
}
