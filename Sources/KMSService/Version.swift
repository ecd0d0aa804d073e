/// The version of the program, as `--version`, `getStatus` and the user agent give it (semver.org).
public enum ProgramVersion {
    public static let text = "0.1.0"
}
