import Platform

/// Conversations with a program, as text that people read and tests play. The format is that of
/// `protocol/transcripts/README.md`.
package struct Transcript: Sendable {
    /// One process, from its start to its end.
    package struct Session: Sendable {
        /// The line of the transcript that starts it.
        package let lineNumber: Int
        package let environment: [String: String]
        /// The program and its arguments.
        package let command: [String]
        package internal(set) var steps: [Step] = []
    }

    package struct Step: Sendable {
        package let lineNumber: Int
        package internal(set) var action: Action
    }

    package enum Action: Sendable {
        case send([UInt8])
        /// Lines that come next, in any order.
        case expectLines([TranscriptLine])
        case expectBytes([UInt8])
        case closeInput
        case signal(CInt)
        /// The output ends, and so does the process, with this status.
        case expectExit(status: Int)
    }

    /// What is wrong with a transcript.
    package struct SyntaxError: Error, CustomStringConvertible {
        package let lineNumber: Int
        package let problem: String
        package var description: String { "line \(lineNumber): \(problem)" }
    }

    package private(set) var sessions: [Session] = []

    package init(parsing text: String) throws(SyntaxError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            try read(line, index + 1)
        }
        guard !sessions.isEmpty else { throw SyntaxError(lineNumber: 1, problem: "there is no session in it") }
    }

    private mutating func read(_ line: Substring, _ number: Int) throws(SyntaxError) {
        if line.isEmpty || line.hasPrefix("//") { return }
        if line.hasPrefix("$ ") {
            sessions.append(try Self.session(line.dropFirst(2), number))
            return
        }
        guard !sessions.isEmpty else { throw SyntaxError(lineNumber: number, problem: "no session was started") }
        let action = try Self.action(line, number)
        let last = sessions.count - 1
        if case .expectExit = sessions[last].steps.last?.action {
            throw SyntaxError(lineNumber: number, problem: "the session has ended")
        }
        // Lines one below the other are one step, so that their order is free.
        if case .expectLines(let lines) = action, let previous = sessions[last].steps.last,
            case .expectLines(let earlier) = previous.action
        {
            sessions[last].steps[sessions[last].steps.count - 1].action = .expectLines(earlier + lines)
        } else {
            sessions[last].steps.append(Step(lineNumber: number, action: action))
        }
    }

    private static func session(_ text: Substring, _ number: Int) throws(SyntaxError) -> Session {
        var words = text.split(separator: " ").map(String.init)
        var environment: [String: String] = [:]
        while let word = words.first, let sign = word.firstIndex(of: "="), !word.hasPrefix("-") {
            environment[String(word[..<sign])] = String(word[word.index(after: sign)...])
            words.removeFirst()
        }
        guard !words.isEmpty else { throw SyntaxError(lineNumber: number, problem: "there is no command") }
        return Session(lineNumber: number, environment: environment, command: words)
    }

    private static func action(_ line: Substring, _ number: Int) throws(SyntaxError) -> Action {
        if line == "--|" { return .closeInput }
        let rest = line.dropFirst(4)
        switch line.prefix(4) {
        case "--> ": return .send(Array("\(rest)\n".utf8))
        case "<-- ": return .expectLines([TranscriptLine(lineNumber: number, text: String(rest))])
        case "~~> ": return .send(try bytes(rest, number))
        case "<~~ ": return .expectBytes(try bytes(rest, number))
        case "--! ":
            let signals: [Substring: CInt] = ["TERM": SIGTERM, "INT": SIGINT, "HUP": SIGHUP]
            if let signal = signals[rest] { return .signal(signal) }
        case "|-- ":
            if let status = Int(rest) { return .expectExit(status: status) }
        default: break
        }
        throw SyntaxError(lineNumber: number, problem: "this is no line of a transcript: \(line)")
    }

    private static func bytes(_ text: Substring, _ number: Int) throws(SyntaxError) -> [UInt8] {
        do {
            return try TranscriptEscapes.decode(Array(text.utf8))
        } catch {
            throw SyntaxError(lineNumber: number, problem: error.problem)
        }
    }
}
