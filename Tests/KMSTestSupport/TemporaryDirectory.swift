import KMSPlatform

/// A folder for one test; it is removed with its contents when this object is freed.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/ncloud-kms-test-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw PlatformError("mkdtemp") }
        self.path = String(cString: path)
    }

    deinit {
        // What remains in /tmp does no harm.
        _ = try? ChildProcess.run("/bin/rm", ["-rf", path])
    }

    /// The path of something in it.
    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file that only this user can read.
    package func write(_ text: String, to name: String) throws {
        let descriptor = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PlatformError("open") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard KMSPlatform.write(descriptor, bytes, bytes.count) == bytes.count else { throw PlatformError("write") }
    }
}
