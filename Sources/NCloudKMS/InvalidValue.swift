/// A value from outside that can't be used: a parameter, a flag, an environment variable.
public struct InvalidValue: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which one, as the parameter or the configuration entry is called: `keyTag`, `endpoint`.
    public let name: String

    /// What is wrong and what would be right, as the rest of a sentence that begins with the name: "must be …".
    public let problem: String

    public init(_ name: String, _ problem: String) {
        self.name = name
        self.problem = problem
    }

    public var description: String { "\(name) \(problem)" }
}
