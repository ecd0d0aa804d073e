import Platform

/// The PEM of the emulator's authority as a file that clients read: a temporary one, or one that the user named.
package final class CertificateFile: Sendable {
    /// Absolute.
    package let path: String
    /// Nil for a file that the user named.
    private let folder: TemporaryFolder?

    /// No folder for temporary files can be written.
    package struct NoTemporaryFolder: Error, Equatable, CustomStringConvertible {
        /// Each one that was tried, and why it was no use.
        package let tried: [String]

        package var description: String {
            "no folder for temporary files can be written: tried \(tried.joined(separator: ", "))"
        }
    }

    /// Makes a file that only this user can read, and that `remove` removes.
    package init(temporary pem: String) throws(NoTemporaryFolder) {
        var tried: [String] = []
        for parent in TemporaryFolder.candidates {
            do {
                let folder = try TemporaryFolder(in: parent, contents: Array(pem.utf8))
                self.folder = folder
                path = folder.filePath
                return
            } catch {
                tried.append("\(parent) (\(PlatformError.text(of: error.errorNumber)))")
            }
        }
        throw NoTemporaryFolder(tried: tried)
    }

    /// Writes a file that everybody can read (mode 0644), all at once: whoever finds it finds it whole. It stays.
    ///
    /// - Parameter path: of a regular file, which is replaced, or of none; a symbolic link is followed.
    package init(publishing pem: String, at path: String) throws(PlatformError) {
        folder = nil
        self.path = try Self.absolute(path)
        var info = stat()
        // A device or a pipe is no place that others could mount, and no client could read it twice.
        if lstat(path, &info) == 0, stat(path, &info) != 0 || info.st_mode & S_IFMT != S_IFREG {
            throw PlatformError("\(path) is not a regular file", errorNumber: EINVAL)
        }
        do throws(PlatformError) {
            try OutputFile(path).write(Array(pem.utf8), mode: 0o644)
        } catch {
            throw PlatformError("write \(path)", errorNumber: error.errorNumber)
        }
    }

    /// Removes a temporary file; nothing happens when it is gone.
    package func remove() { folder?.remove() }

    private static func absolute(_ path: String) throws(PlatformError) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { throw PlatformError("getcwd") }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }
}
