import KMSPlatform

/// A Python with a module that a test needs.
package struct Python: Sendable {
    /// A name to look up in `PATH`, or a path.
    package let command: String

    /// The first one in `PATH`, or else the system's.
    ///
    /// - Returns: nil if neither has the module.
    package init?(having module: String) {
        let all = ["python3", "/usr/bin/python3"].map(Python.init(command:))
        guard let python = all.first(where: { (try? $0.run(["-c", "import \(module)"])) != nil }) else { return nil }
        self = python
    }

    private init(command: String) {
        self.command = command
    }

    /// - Returns: what it wrote.
    /// - Throws: `ChildProcess.Failure` if its status is not 0.
    @discardableResult
    package func run(_ arguments: [String]) throws -> String {
        // With the variables that it needs to find its modules.
        let environment = ["PATH", "PYTHONPATH", "HOME"].compactMap { (name: String) -> String? in
            getenv(name).map { value in "\(name)=\(String(cString: value))" }
        }
        // A warning would be mixed with its output.
        let quiet = [command, "-W", "ignore"] + arguments
        return try ChildProcess("/usr/bin/env", quiet, environment: environment).waitForExit()
    }
}
