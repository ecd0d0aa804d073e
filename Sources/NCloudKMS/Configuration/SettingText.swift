import KMSPlatform

/// The text of a setting and where it was found, so that every error about it names that place.
package struct SettingText: Sendable {
    /// Without the white space around it.
    package let text: String
    /// The flag, the variable or the configuration key.
    package let name: String
    /// Whether it was given specifically for this client, for example as a flag. A file that it names must exist then;
    /// one that a variable names may appear later.
    package let isExplicit: Bool

    package init(_ text: String, name: String, isExplicit: Bool) {
        self.text = text.trimmingASCIIWhitespace()
        self.name = name
        self.isExplicit = isExplicit
    }

    /// - Parameter problem: the rest of a sentence that begins with the name.
    package func error(_ problem: String) -> SettingError {
        SettingError(InvalidValue(name, "\(problem)\(adviceOnQuotationMarks)"), isMisuse: isExplicit)
    }

    private var adviceOnQuotationMarks: String {
        guard text.count >= 2, let first = text.first, first == text.last, first == "\"" || first == "'" else {
            return ""
        }
        return " (the quotation marks are part of the value; remove them)"
    }

    /// The same, which must not be empty.
    package func notEmpty() throws(SettingError) -> SettingText {
        guard !text.isEmpty else { throw error("needs a value") }
        return self
    }

    package func integer(in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let integer = Int(text), range.contains(integer) else {
            throw error("must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    /// One of the raw values of an enumeration, ignoring case.
    ///
    /// - Parameter synonyms: other words for some of the values.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        synonyms: [String: Choice] = [:]
    ) throws(SettingError) -> Choice {
        guard let choice = Choice(word: text) ?? synonyms[text.lowercased()] else {
            throw error("must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    /// A value that another type parses.
    package func value<Value>(_ read: (String) throws(InvalidValue) -> Value) throws(SettingError) -> Value {
        do {
            return try read(text)
        } catch {
            throw self.error(error.problem)
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

/// Why a setting can't be used.
package struct SettingError: Error, Hashable {
    package let invalid: InvalidValue
    /// Whether an explicit text is malformed, as opposed to a variable, or to a file that can't be used.
    package let isMisuse: Bool

    package init(_ invalid: InvalidValue, isMisuse: Bool) {
        self.invalid = invalid
        self.isMisuse = isMisuse
    }
}
