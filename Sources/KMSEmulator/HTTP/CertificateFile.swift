import KMSPlatform

/// The authority's certificate in a PEM file for clients: a temporary file, or one that the user named.
package final class CertificateFile: Sendable {
    /// An absolute path.
    let path: String
    /// Nil for a file that the user named.
    private let folder: TemporaryFolder?

    /// No temporary folder is writable.
    package struct NoTemporaryFolder: Error, Equatable, CustomStringConvertible {
        /// Each folder that was tried, and why it is not writable.
        let tried: [String]

        package var description: String {
            "no temporary folder is writable; tried \(tried.joined(separator: ", "))"
        }
    }

    /// Creates a file that only this user can read; `remove` deletes it.
    init(temporary pem: String) throws(NoTemporaryFolder) {
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

    /// Writes a file that everybody can read (mode 0644) and that is not removed. It appears with its complete
    /// contents.
    ///
    /// - Parameter path: an existing regular file is replaced; a symbolic link is followed.
    init(publishing pem: String, at path: String) throws(PlatformError) {
        folder = nil
        self.path = try Self.absolute(path)
        var info = stat()
        // Others could not mount a device or a pipe, and a client could not read it twice.
        if lstat(path, &info) == 0, stat(path, &info) != 0 || info.st_mode & S_IFMT != S_IFREG {
            throw PlatformError("\(path) is not a regular file", errorNumber: EINVAL)
        }
        do throws(PlatformError) {
            try OutputFile(path).write(Array(pem.utf8), mode: 0o644)
        } catch {
            throw PlatformError("write \(path)", errorNumber: error.errorNumber)
        }
    }

    /// Deletes a temporary file; does nothing if it is gone.
    func remove() { folder?.remove() }

    private static func absolute(_ path: String) throws(PlatformError) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { throw PlatformError("getcwd") }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }
}

/// A folder for one file of this emulator, with mode 0700, inside a temporary folder.
///
/// Its process keeps it locked. A folder without a lock was left behind by a process that could not clean up (`kill
/// -9`); the next emulator removes it.
final class TemporaryFolder: Sendable {
    /// The only file that we create there; we must not remove others.
    static let fileName = "ca.pem"

    /// Temporary folders, in the order in which they are tried. The last two are cleared at boot.
    static var candidates: [String] {
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
        return [variable("TMPDIR"), "/tmp", variable("XDG_RUNTIME_DIR"), "/dev/shm"].filter { $0.hasPrefix("/") }
    }

    private static let template = "ncloud-kms-emulator-ca.XXXXXX"

    let path: String
    /// The folder's descriptor, which holds the lock; nil after `remove`.
    private let lock: Lock<CInt?>

    /// Creates a folder with a file of mode 0600 in it, and removes the folders that other processes left behind.
    ///
    /// - Parameter parent: the temporary folder, an absolute path.
    init(in parent: String, contents: [UInt8]) throws(PlatformError) {
        Self.removeLeftovers(in: parent)
        (path, lock) = try Self.make(in: parent, contents)
    }

    deinit { remove() }

    /// The file in the folder.
    var filePath: String { "\(path)/\(Self.fileName)" }

    /// Removes the folder and its file; does nothing if they are gone.
    func remove() {
        let descriptor = lock.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        guard let descriptor else { return }
        Self.remove(path)
        close(descriptor)
    }

    private static func remove(_ path: String) {
        unlink("\(path)/\(fileName)")
        rmdir(path)
    }

    private static func make(
        in parent: String, _ contents: [UInt8]
    ) throws(PlatformError) -> (path: String, lock: Lock<CInt?>) {
        while true {
            var template = Array("\(parent)/\(template)".utf8CString)
            guard mkdtemp(&template) != nil else { throw PlatformError("mkdtemp") }
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else {
                // Another emulator took the folder for a leftover and removed it before it was locked.
                if errno == ENOENT { continue }
                throw PlatformError("open \(path)")
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
                close(descriptor)
                continue
            }
            // On a file system without locks no emulator removes folders, either.
            do {
                try write(contents, to: "\(path)/\(fileName)")
                return (path, Lock(descriptor))
            } catch {
                remove(path)
                close(descriptor)
                guard error.errorNumber == ENOENT else { throw error }
            }
        }
    }

    private static func write(_ contents: [UInt8], to path: String) throws(PlatformError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PlatformError("open \(path)") }
        defer { close(descriptor) }
        try FileContents.append(contents, to: descriptor)
    }

    /// Removes the folders of processes that have ended.
    private static func removeLeftovers(in parent: String) {
        guard let folder = opendir(parent) else { return }
        defer { closedir(folder) }
        let prefix = template.prefix { $0 != "X" }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.utf8.count == template.utf8.count, name.hasPrefix(prefix) { removeLeftover("\(parent)/\(name)") }
        }
    }

    private static func removeLeftover(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_uid == geteuid(), info.st_mode & 0o7777 == 0o700,
            flock(descriptor, LOCK_EX | LOCK_NB) == 0
        else { return }
        remove(path)
    }
}
