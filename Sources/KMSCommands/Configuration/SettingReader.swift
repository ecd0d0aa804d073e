import NCloudKMS
import KMSPlatform

/// Looks up settings in flags and environment variables, and parses their values; every error names its flag or
/// variable.
struct SettingReader {
    /// The flags on the command line, by name; a flag without a value has "".
    let flags: [Setting.Name: String]
    let environment: EnvironmentVariables

    /// White space around a flag's value is ignored, as around a variable's.
    init(flags: [Setting.Name: String], environment: EnvironmentVariables) {
        self.flags = flags.mapValues { $0.trimmingASCIIWhitespace() }
        self.environment = environment
    }

    /// A text and where it came from.
    struct Source {
        let text: String
        /// The flag or the variable.
        let origin: String
        let isFlag: Bool

        /// - Parameter problem: the rest of a sentence that begins with the flag or the variable.
        func error(_ problem: String) -> ConfigurationError {
            ConfigurationError("\(origin) \(problem)\(adviceOnQuotationMarks)", isUsage: isFlag)
        }

        private var adviceOnQuotationMarks: String {
            guard text.count >= 2, let first = text.first, first == text.last, first == "\"" || first == "'" else {
                return ""
            }
            return " (the quotation marks are part of the value; remove them)"
        }
    }

    /// Flags take precedence over the environment, which takes precedence over the default.
    func source(_ name: Setting.Name) -> Source? {
        if let text = flags[name] { return Source(text: text, origin: name.flag, isFlag: true) }
        let setting = Setting[name]
        for variable in setting.variables {
            guard let text = environment[variable] else { continue }
            return Source(text: text, origin: variable, isFlag: false)
        }
        guard case .text(let text) = setting.defaultValue else { return nil }
        return Source(text: text, origin: name.flag, isFlag: false)
    }

    func isSet(_ name: Setting.Name) -> Bool { flags[name] != nil }

    /// A text that is not empty; nil for a setting without a value and without a default.
    func text(_ name: Setting.Name) throws(ConfigurationError) -> Source? {
        guard let source = source(name) else { return nil }
        guard !source.text.isEmpty else { throw source.error("needs a value") }
        return source
    }

    /// The value of a setting whose default is a text.
    func required<Value>(
        _ name: Setting.Name, _ read: (Setting.Name) throws(ConfigurationError) -> Value?
    ) throws(ConfigurationError) -> Value {
        guard let value = try read(name) else { throw ConfigurationError("\(name.flag) needs a value", isUsage: true) }
        return value
    }

    func integer(_ name: Setting.Name, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        try required(name) { name throws(ConfigurationError) in try optionalInteger(name, in: range) }
    }

    func optionalInteger(_ name: Setting.Name, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let source = try text(name) else { return nil }
        guard let integer = Int(source.text), range.contains(integer) else {
            throw source.error("must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    /// One of the raw values of an enumeration, ignoring case.
    ///
    /// - Parameter synonyms: other words for some of the values.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: Setting.Name, of type: Choice.Type = Choice.self, synonyms: [String: Choice] = [:]
    ) throws(ConfigurationError) -> Choice {
        try required(name) { name throws(ConfigurationError) in
            try optionalChoice(name, of: type, synonyms: synonyms)
        }
    }

    func optionalChoice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: Setting.Name, of _: Choice.Type = Choice.self, synonyms: [String: Choice] = [:]
    ) throws(ConfigurationError) -> Choice? {
        guard let source = try text(name) else { return nil }
        guard let choice = Choice(word: source.text) ?? synonyms[source.text.lowercased()] else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw source.error("must be one of \(names)")
        }
        return choice
    }

    /// A value that another module parses.
    func value<Value>(
        _ name: Setting.Name, _ read: (String) throws(InvalidValue) -> Value
    ) throws(ConfigurationError) -> Value? {
        guard let source = try text(name) else { return nil }
        do {
            return try read(source.text)
        } catch {
            throw source.error(error.problem)
        }
    }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// The value for a word of the command line or the environment, ignoring case and white space around it; nil if
    /// there is none.
    package init?(word: String) {
        let word = word.trimmingASCIIWhitespace().lowercased()
        guard let value = Self.allCases.first(where: { $0.rawValue.lowercased() == word }) else { return nil }
        self = value
    }
}

/// Why the program can't start.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// One line that says what to change.
    package let message: String
    /// Whether the error is in the command line, as opposed to a file or the environment.
    package let isUsage: Bool

    package init(_ message: String, isUsage: Bool) {
        self.message = message
        self.isUsage = isUsage
    }

    package var description: String { message }
}
