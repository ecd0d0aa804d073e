import Platform

/// The first word of a command line that is no command: what was probably meant.
package struct CommandWord: Sendable {
    /// The commands that `--help` lists, in its order.
    package static let commands = ["serve", "get-public-key", "verify", "doctor", "terraform", "help"]

    /// What requests name, and the command that does the same, where there is one.
    private static let methods: [(name: String, command: String?)] = [
        ("getPublicKey", "get-public-key"), ("verifySignature", "verify"), ("getStatus", nil), ("rpc.discover", nil),
        ("shutdown", nil), ("exit", nil), ("$/cancelRequest", nil),
    ]

    private let word: String

    package init(_ word: String) {
        self.word = word
    }

    package var isCommand: Bool { Self.commands.contains(word) }

    /// One line that says what to write instead.
    package var message: String {
        let shown = "\"\(word.excerpt)\""
        let commands = "the commands are \(Self.commands.joined(separator: ", "))"
        if let method = Self.methods.first(where: { $0.name == word }) {
            guard let command = method.command else {
                return "\(shown) is a method, not a command: send it as a request on stdin; \(commands)"
            }
            return "\(shown) is a method; the command is \(command)"
        }
        let plain = Self.letters(word)
        let known =
            Self.commands.map { (word: $0, command: $0) }
            + Self.methods.compactMap { method in method.command.map { (word: method.name, command: $0) } }
        let near = known.map { (command: $0.command, distance: Self.distance(plain, Self.letters($0.word))) }
            .min { $0.distance < $1.distance }
        if let near, near.distance <= max(1, plain.count / 3) {
            return "there is no command \(shown); did you mean \(near.command)?"
        }
        return "there is no command \(shown); \(commands)"
    }

    /// Small letters alone: hyphens, dots and capitals are where the spellings differ.
    private static func letters(_ word: String) -> [UInt8] {
        // The distance takes the product of both lengths.
        Array(
            word.utf8.prefix(64).map(\.asciiLowercased).filter { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) })
    }

    /// Levenshtein's: how many letters must be added, left out or replaced to get from one word to the other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (letter == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
