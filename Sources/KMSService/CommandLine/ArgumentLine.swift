/// A command line as far as it can be told without knowing all of its options: for mistakes in it.
package struct ArgumentLine: Sendable {
    private let arguments: [String]

    /// - Parameter arguments: without the program's name.
    package init(_ arguments: [String]) {
        self.arguments = arguments
    }

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
        let name = option.prefix { $0 != "=" }
        if let setting = Setting.all.first(where: {
            $0.name.flag == name || $0.name.alias.map { "--\($0)" } == String(name)
        }) {
            return setting.valueName != nil && name.count == option.count
        }
        return ["--help", "-h", "-help", "--help-hidden", "--version"].contains(option) ? false : nil
    }
}
