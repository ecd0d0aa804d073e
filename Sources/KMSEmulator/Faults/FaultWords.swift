/// The words of a fault's text (`NAME` or `NAME=VALUE`, with commas between them), taken one by one.
struct FaultWords {
    private let text: String
    private var values: [String: String?] = [:]

    init(_ text: String) throws(FaultSpecError) {
        self.text = text
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard !name.isEmpty else { throw failure("a word is missing") }
            guard values[name] == nil else { throw failure("\"\(name)\" comes twice") }
            values.updateValue(parts.count == 2 ? String(parts[1]) : nil, forKey: name)
        }
    }

    func failure(_ problem: String) -> FaultSpecError { FaultSpecError("the fault \"\(text)\": \(problem)") }

    var names: Set<String> { Set(values.keys) }

    func has(_ name: String) -> Bool { values[name] != nil }

    func hasValue(_ name: String) -> Bool { (values[name] ?? nil) != nil }

    /// Takes a word that needs a value; nil if it is not there.
    mutating func takeValue(_ name: String) throws(FaultSpecError) -> String? {
        guard let value = values.removeValue(forKey: name) else { return nil }
        guard let value, !value.isEmpty else { throw failure("\(name) needs a value") }
        return value
    }

    mutating func takeInteger(_ name: String, in range: ClosedRange<Int>) throws(FaultSpecError) -> Int? {
        guard let value = try takeValue(name) else { return nil }
        guard let integer = Int(value), range.contains(integer) else {
            let end = range.upperBound == .max ? "\(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
            throw failure("\(name) must be an integer from \(end)")
        }
        return integer
    }

    /// Takes a word that may have a value.
    @discardableResult
    mutating func takeOptionalValue(_ name: String) -> String? { values.removeValue(forKey: name) ?? nil }

    /// Takes a word that has no value.
    mutating func takeFlag(_ name: String) throws(FaultSpecError) {
        guard takeOptionalValue(name) == nil else { throw failure("\(name) takes no value") }
    }

    /// Whether all words were taken.
    func expectEmpty() throws(FaultSpecError) {
        guard let name = names.min() else { return }
        throw failure("\"\(name)\" is unknown, or does not go with the others")
    }
}
