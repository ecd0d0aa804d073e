/// A check that must hold for every input. `make fuzz` looks for inputs that break it; `make test` runs it on the inputs
/// in `Corpus`.
struct FuzzTarget: Sendable {
    /// The folder of its inputs below `Corpus`.
    let name: String
    /// The maximum length in bytes of the inputs that `make fuzz` makes.
    let maximumBytes: Int
    /// - Throws: `BrokenRule`.
    let check: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, maximumBytes: Int, _ check: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.maximumBytes = maximumBytes
        self.check = check
    }

    static let all =
        jsonTargets + wireTargets + keyTargets + answerTargets + settingTargets + clientTargets + emulatorTargets
}

/// What does not hold for an input.
struct BrokenRule: Error, CustomStringConvertible {
    let description: String
}

/// - Parameter rule: what should hold, for the report.
func require(_ holds: Bool, _ rule: @autoclosure () -> String) throws {
    if !holds { throw BrokenRule(description: rule()) }
}

extension [UInt8] {
    /// The bytes as text; invalid UTF-8 is replaced.
    var text: String { String(decoding: self, as: UTF8.self) }

    /// The first `count` fields, and the rest as the last one, separated by line feeds; missing fields are empty.
    func fields(_ count: Int) -> [String] {
        let parts = split(separator: UInt8(ascii: "\n"), maxSplits: count - 1, omittingEmptySubsequences: false)
        return (0..<count).map { $0 < parts.count ? String(decoding: parts[$0], as: UTF8.self) : "" }
    }
}

/// Strings compare as equal if they look the same; here the bytes count.
func areSame(_ first: String?, _ second: String?) -> Bool {
    first.map { Array($0.utf8) } == second.map { Array($0.utf8) }
}
