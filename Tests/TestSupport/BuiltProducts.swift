/// The executables that were built with the tests.
public enum BuiltProducts {
    /// The path of an executable of this package.
    public static func path(of name: String) -> String {
        let bundle = CommandLine.arguments[0]
        let directory = bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } ?? "."
        return "\(directory)/\(name)"
    }
}
