import Platform

/// A folder of the emulator's own for one file, with mode 0700, in a folder for temporary files.
///
/// It is locked for as long as its process lives. So what a process left that had no time to clean up (`kill -9`) is
/// known by the missing lock, and the next one that makes such a folder removes it.
final class TemporaryFolder: Sendable {
    /// The one file that may be in it: what else somebody put there is not ours to remove.
    static let fileName = "ca.pem"

    /// Where folders for temporary files are, in the order of trying. The last two are cleared when the machine starts.
    static var candidates: [String] {
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
        return [variable("TMPDIR"), "/tmp", variable("XDG_RUNTIME_DIR"), "/dev/shm"].filter { $0.hasPrefix("/") }
    }

    private static let template = "ncloud-kms-emulator-ca.XXXXXX"

    let path: String
    /// Its descriptor, which holds the lock; nil after `remove`.
    private let lock: Lock<CInt?>

    /// Makes one with a file of mode 0600 in it, and removes those that nobody holds.
    ///
    /// - Parameter parent: the folder for temporary files, an absolute path.
    init(in parent: String, contents: [UInt8]) throws(PlatformError) {
        Self.removeLeftovers(in: parent)
        (path, lock) = try Self.make(in: parent, contents)
    }

    deinit { remove() }

    /// The file in it.
    var filePath: String { "\(path)/\(Self.fileName)" }

    /// Removes the folder and its file; nothing happens when they are gone.
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
                // Somebody who was clearing up took the folder for a leftover before it was locked.
                if errno == ENOENT { continue }
                throw PlatformError("open \(path)")
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
                close(descriptor)
                continue
            }
            // Where a file system has no locks, nobody takes the folder for a leftover either.
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

    /// Removes the folders of processes that are gone.
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
