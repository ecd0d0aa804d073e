import Platform

/// The environment of a process, where an empty variable is an unset one and the white space around a value counts for
/// nothing: env files of Windows leave a CR at its end, mounted secrets an LF.
public struct EnvironmentVariables: Sendable {
    /// A variable as it is. `HOME` is taken so: white space in a path is a part of it, and every program of the user's
    /// has to find the same folder.
    private let value: @Sendable (String) -> String?

    /// The environment of this process.
    public static let process = EnvironmentVariables { name in getenv(name).map { String(cString: $0) } }

    public init(_ variables: [String: String]) {
        self.init { variables[$0] }
    }

    private init(_ value: @escaping @Sendable (String) -> String?) {
        self.value = value
    }

    public subscript(name: String) -> String? {
        value(name).map { $0.trimmingASCIIWhitespace() }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A path in which a leading `~/` is the home directory, as no shell has seen it that would say so; without a home
    /// directory it stays as it is.
    public func expandingHome(_ path: String) -> String {
        HomeDirectory.expanding(path, variable: value("HOME"))
    }

    /// The same without some variables.
    package func without(_ names: [String]) -> EnvironmentVariables {
        EnvironmentVariables { [value] name in names.contains(name) ? nil : value(name) }
    }

    /// The first variable of several that is set.
    package func first(of names: [String]) -> (name: String, value: String)? {
        for name in names {
            if let value = self[name] { return (name, value) }
        }
        return nil
    }

    /// The home directory: `HOME`, else what the password database says; nil if neither knows.
    var homeDirectory: String? { HomeDirectory.path(variable: value("HOME")) }
}
