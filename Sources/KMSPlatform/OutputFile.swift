/// The file that a command writes its answer to, by the path that the user gave.
package struct OutputFile: Equatable, Sendable {
    /// The path that the user gave.
    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    /// Replaces the file, if there is one, in one step: a program that opens the path sees the old contents or the new
    /// ones, never a part, and a failure leaves the old ones.
    ///
    /// A symbolic link stays, and its target is replaced. Anything but a regular file, such as a pipe or a device, is
    /// written to directly, and so is one of our own descriptors (`/dev/stdout`), which other programs hold open, too.
    ///
    /// A file that can't be replaced is overwritten in place, where a failure can leave a part: a file that is a mount
    /// point, as in a container, or a writable file in a folder that is not.
    ///
    /// - Parameter mode: the mode of the new file; nil keeps the old file's mode, or uses 0666 and the umask if there
    ///   was none.
    package func write(_ bytes: [UInt8], mode: mode_t? = nil) throws(PlatformError) {
        if let ownDescriptor { return try FileContents.append(bytes, to: ownDescriptor) }
        var status = stat()
        let exists = stat(path, &status) == 0
        if exists, status.st_mode & S_IFMT != S_IFREG {
            let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
            guard descriptor >= 0 else { throw PlatformError("open") }
            defer { close(descriptor) }
            return try FileContents.append(bytes, to: descriptor)
        }
        do throws(PlatformError) {
            try replace(with: bytes, mode: mode ?? (exists ? status.st_mode & 0o777 : nil))
        } catch {
            guard exists, Self.refusals.contains(error.errorNumber) else { throw error }
            try overwrite(with: bytes)
        }
    }

    /// The errors for a writable file that can't be replaced: it is a mount point; its folder is on another or a
    /// read-only file system, is not writable, or is sticky and the file belongs to another user.
    private static let refusals = [EBUSY, EXDEV, EROFS, EACCES, EPERM]

    private func replace(with bytes: [UInt8], mode: mode_t?) throws(PlatformError) {
        let target = try Self.followingLinks(path)
        // Ctrl-C halfway would leave the temporary file behind.
        try DeferredTermination.during { () throws(PlatformError) in
            let (temporary, descriptor) = try Self.createBeside(target)
            do throws(PlatformError) {
                try Self.fill(descriptor, with: bytes, mode: mode)
                guard rename(temporary, target) == 0 else { throw PlatformError("rename") }
            } catch {
                unlink(temporary)
                throw error
            }
        }
    }

    private func overwrite(with bytes: [UInt8]) throws(PlatformError) {
        let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { throw PlatformError("open") }
        try Self.fill(descriptor, with: bytes, mode: nil)
    }

    /// Whether the path is a terminal.
    package var isTerminal: Bool {
        if let ownDescriptor { return isatty(ownDescriptor) == 1 }
        var status = stat()
        // Opening anything else might block, or have side effects.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return false }
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return isatty(descriptor) == 1
    }

    /// The descriptor of this process that the path names. Opening such a path would start again at the beginning of a
    /// file, and fails for a socket.
    private var ownDescriptor: CInt? {
        switch path {
        case "/dev/stdin": return 0
        case "/dev/stdout": return 1
        case "/dev/stderr": return 2
        default:
            for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
                return CInt(path.dropFirst(folder.count))
            }
            return nil
        }
    }

    /// A path as system calls expect it: arbitrary bytes, terminated by a zero.
    private typealias SystemPath = [CChar]

    /// The path that a symbolic link leads to, whether or not it exists.
    private static func followingLinks(_ path: String) throws(PlatformError) -> SystemPath {
        /// The limit that Linux uses.
        let maximumLinks = 40
        var path = SystemPath(path.utf8CString)
        for _ in 0..<maximumLinks {
            var buffer = SystemPath(repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            // Not a link, or it does not exist. The next system call reports any other problem.
            if count < 0 { return path }
            let target = buffer[..<count]
            path = (target.first == slash ? [] : folder(of: path)) + target + [0]
        }
        throw PlatformError("readlink", errorNumber: ELOOP)
    }

    private static let slash = CChar(bitPattern: UInt8(ascii: "/"))

    /// The folder of a path, with its trailing slash and without a zero at the end; empty for a bare name.
    private static func folder(of path: SystemPath) -> SystemPath.SubSequence {
        path.lastIndex(of: slash).map { path[...$0] } ?? []
    }

    /// Creates an empty file in the folder of another one: only there can a rename replace the other atomically.
    private static func createBeside(_ path: SystemPath) throws(PlatformError) -> (path: SystemPath, descriptor: CInt) {
        while true {
            let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
            let temporary = SystemPath(folder(of: path)) + ".ncloud-kms-\(suffix)".utf8CString
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return (temporary, descriptor) }
            guard errno == EEXIST || errno == EINTR else { throw PlatformError("open") }
        }
    }

    /// Writes everything, flushes it to the disk, and closes the descriptor.
    private static func fill(_ descriptor: CInt, with bytes: [UInt8], mode: mode_t?) throws(PlatformError) {
        do throws(PlatformError) {
            if let mode, fchmod(descriptor, mode) != 0 { throw PlatformError("fchmod") }
            try FileContents.append(bytes, to: descriptor)
            // Otherwise a crash could leave an empty file under the new name.
            guard fsync(descriptor) == 0 else { throw PlatformError("fsync") }
        } catch {
            close(descriptor)
            throw error
        }
        // A network file system may report only here that it is out of space.
        guard close(descriptor) == 0 else { throw PlatformError("close") }
    }
}
