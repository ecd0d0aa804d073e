import KMSPlatform

/// A command line, read without ArgumentParser: all of it where it only asks to serve, and else as far as it can be
/// told without knowing all options, for the words about a mistake in it.
package struct ArgumentLine: Sendable {
    private let arguments: [String]

    /// - Parameter arguments: without the program's name.
    package init(_ arguments: [String]) {
        self.arguments = arguments
    }

    // MARK: A service

    /// The flags of `[serve] [FLAG]…`, as `ProgramConfiguration` takes them; of a flag that comes twice, the last. Nil for
    /// every other command line, whether it is right or wrong: what that one means is for ArgumentParser to say.
    ///
    /// A service starts without ArgumentParser, which would take a third of the instructions. Whatever is accepted
    /// here, ArgumentParser accepts with the same result; a test holds the two together.
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

    /// A flag and its value, which is empty for one that takes none.
    ///
    /// - Parameter rest: what follows it; a value is taken from there.
    private static func flag(_ argument: String, rest: inout ArraySlice<String>) -> (Setting.Name, String)? {
        guard let equalsSign = argument.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            guard let name = Setting.Name(flag: argument) else { return nil }
            guard Setting[name].valueName != nil else { return (name, "") }
            // What begins with a hyphen is no value, save one that stands alone.
            guard let value = rest.popFirst(), value == "-" || value.utf8.first != UInt8(ascii: "-") else { return nil }
            return (name, value)
        }
        // An empty value is none to ArgumentParser, which then takes the next argument. It reads characters, not bytes:
        // an accent in first place would belong to the equals sign.
        let value = argument[argument.utf8.index(after: equalsSign)...]
        guard let first = value.utf8.first, first < 0x80, let name = Setting.Name(flag: argument[..<equalsSign]),
            Setting[name].valueName != nil
        else { return nil }
        return (name, String(value))
    }

    // MARK: A mistake

    /// The word that stands where a command should, but names none: the first that is neither an option of the program
    /// nor the value of one, or what `help` is asked about. Nil where there is none, or where an option before it is
    /// unknown, which is the mistake then.
    package var unknownCommand: String? {
        guard let (word, rest) = firstWord else { return nil }
        if word == "help" { return rest.first { !$0.hasPrefix("-") }.flatMap { Self.unknown($0) } }
        return Self.unknown(word)
    }

    /// Whether errors are for programs, too.
    package var wantsJSON: Bool {
        guard let (word, rest) = firstWord, word == "get-public-key" || word == "doctor" else { return false }
        // `doctor` has fewer formats, but it calls this one the same.
        return rest.contains { $0.hasPrefix("--format=") && KeyOutput(word: String($0.dropFirst(9))) == .json }
            || zip(rest, rest.dropFirst()).contains { $0 == "--format" && KeyOutput(word: $1) == .json }
    }

    /// Whether the program is to serve, rather than to carry out a command, as far as it can be told.
    package var serves: Bool { firstWord.map { $0.word == "serve" } ?? true }

    /// A message about the command line with no more of an argument, or of the value of an option, than its beginning, and
    /// of no more than 1 KiB, however many arguments it repeats.
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

    /// Whether the next argument is an option's value; nil for an option that the program does not have.
    private static func takesValue(_ option: String) -> Bool? {
        let word = option.prefix { $0 != "=" }
        if let name = Setting.Name(flag: word) { return Setting[name].valueName != nil && word.count == option.count }
        return ["--help", "-h", "-help", "--help-hidden", "--version"].contains(option) ? false : nil
    }
}

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
