import Platform

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// The value that a word of the command line or the environment names, in letters of any case and with any white
    /// space around it; nil if it names none.
    package init?(word: String) {
        let word = word.trimmingASCIIWhitespace().lowercased()
        guard let value = Self.allCases.first(where: { $0.rawValue.lowercased() == word }) else { return nil }
        self = value
    }
}
