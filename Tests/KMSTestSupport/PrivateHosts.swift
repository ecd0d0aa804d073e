import KMSPlatform

/// Host names for one program: it runs in a mount namespace in which `/etc/hosts` is a file of the test.
package final class PrivateHosts: Sendable {
    private static let unshare = "/usr/bin/unshare"

    /// Whether this process may make such namespaces; root may, unless something forbids it.
    package static let arePossible: Bool = {
        guard let hosts = try? PrivateHosts(["127.0.0.1 localhost"]) else { return false }
        return (try? ChildProcess.run(unshare, hosts.arguments(of: "/bin/true", []))) != nil
    }()

    private let directory: TemporaryDirectory

    /// - Parameter lines: those of `/etc/hosts`.
    package init(_ lines: [String]) throws {
        directory = try TemporaryDirectory()
        try write(lines)
    }

    /// Changes the names while the program runs.
    package func write(_ lines: [String]) throws {
        // In place: the file is mounted, not its name.
        try directory.write(lines.map { $0 + "\n" }.joined(), to: "hosts")
    }

    /// The program to run instead of another one.
    package var program: String { Self.unshare }

    /// - Parameters:
    ///   - program: the path of the one to run.
    ///   - arguments: of it.
    package func arguments(of program: String, _ arguments: [String]) -> [String] {
        let script = "mount --bind '\(directory.path("hosts"))' /etc/hosts && exec \"$0\" \"$@\""
        return ["--mount", "/bin/sh", "-c", script, program] + arguments
    }
}
