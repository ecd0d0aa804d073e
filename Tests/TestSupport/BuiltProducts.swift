/// The executables that were built with the tests.
public enum BuiltProducts {
    /// The path of an executable of this package; an absolute path of any program stays what it is.
    public static func path(of name: String) -> String {
        if name.hasPrefix("/") { return name }
        let bundle = CommandLine.arguments[0]
        let directory = bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } ?? "."
        return "\(directory)/\(name)"
    }
}
