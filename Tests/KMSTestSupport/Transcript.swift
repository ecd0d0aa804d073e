import KMSJSON
import KMSPlatform

/// Conversations with a program, as text that people read and tests play (`protocol/transcripts/README.md`).
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

    /// Why a transcript could not be read.
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
        guard !sessions.isEmpty else { throw SyntaxError(lineNumber: 1, problem: "it has no session") }
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
        // Consecutive lines are one step, so that their order does not matter.
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
        guard !words.isEmpty else { throw SyntaxError(lineNumber: number, problem: "the command is missing") }
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
        throw SyntaxError(lineNumber: number, problem: "not a line of a transcript: \(line)")
    }

    private static func bytes(_ text: Substring, _ number: Int) throws(SyntaxError) -> [UInt8] {
        do {
            return try TranscriptEscapes.decode(Array(text.utf8))
        } catch {
            throw SyntaxError(lineNumber: number, problem: error.problem)
        }
    }
}

/// A line that a transcript expects. `…` in the place of a JSON value matches any one JSON value; everything else matches
/// itself, byte for byte.
package struct TranscriptLine: Sendable {
    package let lineNumber: Int
    package let text: String

    package init(lineNumber: Int, text: String) {
        self.lineNumber = lineNumber
        self.text = text
    }

    package func matches(_ line: [UInt8]) -> Bool {
        let pieces = literals
        var offset = 0
        for (index, literal) in pieces.enumerated() {
            guard line[offset...].starts(with: literal) else { return false }
            offset += literal.count
            if index == pieces.count - 1 { break }
            guard let end = Self.endOfValue(in: line, from: offset) else { return false }
            offset = end
        }
        return offset == line.count
    }

    /// The texts between the wildcards.
    private var literals: [[UInt8]] {
        let wildcard = Array("…".utf8)
        let bytes = Array(text.utf8)
        var literals: [[UInt8]] = [[]]
        var isInString = false
        var isEscaped = false
        var index = 0
        while index < bytes.count {
            if !isInString, bytes[index...].starts(with: wildcard) {
                literals.append([])
                index += wildcard.count
                continue
            }
            if bytes[index] == UInt8(ascii: "\""), !isEscaped { isInString.toggle() }
            isEscaped = isInString && bytes[index] == UInt8(ascii: "\\") && !isEscaped
            literals[literals.count - 1].append(bytes[index])
            index += 1
        }
        return literals
    }

    private static func endOfValue(in line: [UInt8], from start: Int) -> Int? {
        line.withUnsafeBufferPointer { bytes in
            var scanner = JSONScanner(bytes, at: start)
            return (try? scanner.scanValue()) == nil ? nil : scanner.offset
        }
    }
}

/// Bytes that are not text, in transcripts: `\n`, `\r`, `\t`, `\\`, `\xHH`, and `\*N{…}` for N times what is in braces,
/// which holds neither braces nor escapes.
private enum TranscriptEscapes {
    struct Problem: Error {
        let problem: String
    }

    static func decode(_ text: [UInt8]) throws(Problem) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                decoded.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): decoded.append(0x0A)
            case UInt8(ascii: "r"): decoded.append(0x0D)
            case UInt8(ascii: "t"): decoded.append(0x09)
            case UInt8(ascii: "\\"): decoded.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
                    throw Problem(problem: "\\x is not followed by two hexadecimal digits")
                }
                decoded.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "*"):
                guard let opening = rest.firstIndex(of: UInt8(ascii: "{")),
                    let closing = rest[opening...].firstIndex(of: UInt8(ascii: "}")),
                    let count = Int(String(decoding: rest[..<opening], as: UTF8.self)), count >= 0
                else { throw Problem(problem: "\\* is not followed by N{…}") }
                for _ in 0..<count { decoded += rest[(opening + 1)..<closing] }
                rest = rest[(closing + 1)...]
            default: throw Problem(problem: "unknown escape; \\\\ stands for a backslash")
            }
        }
        return decoded
    }
}
