import KMSPlatform

/// A command line, parsed without ArgumentParser: completely if it only starts the service, otherwise as far as error
/// messages need it.
package struct ArgumentLine: Sendable {
    private let arguments: [String]

    /// - Parameter arguments: the arguments without the program's name.
    package init(_ arguments: [String]) {
        self.arguments = arguments
    }

    // MARK: A service

    /// The flags of `[serve] [FLAG]…`, as `ProgramConfiguration` expects them; if a flag occurs twice, the last one
    /// counts. Nil for every other command line, valid or not: ArgumentParser handles those.
    ///
    /// A service starts without ArgumentParser, which would take a third of the instructions. ArgumentParser accepts
    /// everything that is accepted here, with the same result; a test checks that.
    package var servingFlags: [Setting.Name: String]? {
        var flags: [Setting.Name: String] = [:]
        var hasCommand = false
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "serve", !hasCommand {
                hasCommand = true
            } else if let (name, value) = Self.flag(argument, rest: &rest) {
                flags[name] = value
            } else {
                return nil
            }
        }
        return flags
    }

    /// A flag and its value, which is empty for a flag without one.
    ///
    /// - Parameter rest: the arguments after it; the value is removed from them.
    private static func flag(_ argument: String, rest: inout ArraySlice<String>) -> (Setting.Name, String)? {
        guard let equalsSign = argument.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            guard let name = Setting.Name(flag: argument) else { return nil }
            guard Setting[name].valueName != nil else { return (name, "") }
            // An argument that begins with a hyphen is not a value, except for a hyphen alone.
            guard let value = rest.popFirst(), value == "-" || value.utf8.first != UInt8(ascii: "-") else { return nil }
            return (name, value)
        }
        // ArgumentParser treats an empty value as none and takes the next argument. It compares characters, not bytes:
        // a combining accent after the equals sign would be part of the same character.
        let value = argument[argument.utf8.index(after: equalsSign)...]
        guard let first = value.utf8.first, first < 0x80, let name = Setting.Name(flag: argument[..<equalsSign]),
            Setting[name].valueName != nil
        else { return nil }
        return (name, String(value))
    }

    // MARK: Errors

    /// The word that stands where a command is expected but is not one: the first argument that is neither an option of
    /// the program nor an option's value, or the argument of `help`. Nil if there is none, or if an unknown option
    /// precedes it, which is then the error.
    package var unknownCommand: String? {
        guard let (word, rest) = firstWord else { return nil }
        if word == "help" { return rest.first { !$0.hasPrefix("-") }.flatMap { Self.unknown($0) } }
        return Self.unknown(word)
    }

    /// Whether errors are written as JSON.
    package var wantsJSON: Bool {
        guard let (word, rest) = firstWord, word == "get-public-key" || word == "doctor" else { return false }
        // `doctor` has fewer formats, but this one has the same name.
        return rest.contains { $0.hasPrefix("--format=") && KeyOutput(word: String($0.dropFirst(9))) == .json }
            || zip(rest, rest.dropFirst()).contains { $0 == "--format" && KeyOutput(word: $1) == .json }
    }

    /// Whether the command line starts the service, as far as that can be determined.
    package var serves: Bool { firstWord.map { $0.word == "serve" } ?? true }

    /// Cuts each argument and option value that a message repeats to an excerpt, and the whole message to 1 KiB.
    package func shortening(_ message: String) -> String {
        let values = arguments.compactMap { argument in
            argument.firstIndex(of: "=").map { String(argument[argument.index(after: $0)...]) }
        }
        let long = (arguments + values).filter { $0 != $0.excerpt }
        return long.reduce(message) { $0.replacing($1, with: $1.excerpt) }.prefix(utf8Bytes: 1_024)
    }

    private static func unknown(_ word: String) -> String? { CommandWord(word).isCommand ? nil : word }

    private var firstWord: (word: String, rest: ArraySlice<String>)? {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-", argument != "--" else { return (argument, rest) }
            guard let takesValue = Self.takesValue(argument) else { return nil }
            if takesValue { rest = rest.dropFirst() }
        }
        return nil
    }

    /// Whether an option takes the next argument as its value; nil for an unknown option.
    private static func takesValue(_ option: String) -> Bool? {
        let word = option.prefix { $0 != "=" }
        if let name = Setting.Name(flag: word) { return Setting[name].valueName != nil && word.count == option.count }
        return ["--help", "-h", "-help", "--help-hidden", "--version"].contains(option) ? false : nil
    }
}

/// The first word of a command line that is not a command, and what was probably meant.
package struct CommandWord: Sendable {
    /// The commands that `--help` lists, in its order.
    package static let commands = ["serve", "get-public-key", "verify", "doctor", "terraform", "help"]

    /// The methods of the protocol, and the command that does the same, if there is one.
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
            return "unknown command \(shown); did you mean \(near.command)?"
        }
        return "unknown command \(shown); \(commands)"
    }

    /// Only the letters, in lower case, because spellings differ in hyphens, dots and capitals.
    private static func letters(_ word: String) -> [UInt8] {
        // The distance takes time proportional to the product of both lengths.
        Array(
            word.utf8.prefix(64).map(\.asciiLowercased).filter { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) })
    }

    /// The Levenshtein distance: how many letters to insert, delete or replace.
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
