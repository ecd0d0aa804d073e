/// A file that a command writes its answer to, under the name that the user gave.
package struct OutputFile: Equatable, Sendable {
    package let path: String

    package init(_ path: String) {
        self.path = path
    }

    /// Puts a file in the place of the one that is there, if any: whoever opens the path sees the old contents or the
    /// new ones, never a part, and a failure leaves the old ones.
    ///
    /// A symbolic link stays, and what it points to is replaced. What is not a regular file, such as a pipe or a device,
    /// is written to, and so is one of our own descriptors (`/dev/stdout`), since other programs hold it open, too.
    ///
    /// A file that can't be replaced is overwritten in place, where a failure can leave a part: one that is mounted by
    /// itself, as in a container, or one that may be written to in a folder that may not.
    ///
    /// - Parameter mode: of a file that takes the place; nil is that of the file that was there, else what the umask
    ///   leaves.
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

    /// What the system says when a file can't be replaced that may be written to: it is a mount point; the folder is on
    /// another or a read-only file system, is not ours to write to, or is sticky and the file somebody else's.
    private static let refusals = [EBUSY, EXDEV, EROFS, EACCES, EPERM]

    private func replace(with bytes: [UInt8], mode: mode_t?) throws(PlatformError) {
        let target = try Self.followingLinks(path)
        // Ctrl-C in the middle would leave the temporary file there.
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

    package var isTerminal: Bool {
        if let ownDescriptor { return isatty(ownDescriptor) == 1 }
        var status = stat()
        // To open anything else might wait, or do something.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return false }
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return isatty(descriptor) == 1
    }

    /// The descriptor of ours that the path stands for. To open such a path begins anew at the start of a file, and
    /// fails for a socket.
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

    /// A path as the system has it: any bytes, and a zero.
    private typealias SystemPath = [CChar]

    /// The path that a symbolic link leads to, whether or not there is something.
    private static func followingLinks(_ path: String) throws(PlatformError) -> SystemPath {
        /// As many as Linux follows.
        let maximumLinks = 40
        var path = SystemPath(path.utf8CString)
        for _ in 0..<maximumLinks {
            var buffer = SystemPath(repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &buffer, buffer.count)
            // It is not a link, or nothing is there. Whatever else is wrong, the next call will tell.
            if count < 0 { return path }
            let target = buffer[..<count]
            path = (target.first == slash ? [] : folder(of: path)) + target + [0]
        }
        throw PlatformError("readlink", errorNumber: ELOOP)
    }

    private static let slash = CChar(bitPattern: UInt8(ascii: "/"))

    /// With the slash at its end, and no zero; empty for a name alone.
    private static func folder(of path: SystemPath) -> SystemPath.SubSequence {
        path.lastIndex(of: slash).map { path[...$0] } ?? []
    }

    /// Creates an empty file in the folder of another one: only there can it take the other's place in one step.
    private static func createBeside(_ path: SystemPath) throws(PlatformError) -> (path: SystemPath, descriptor: CInt) {
        while true {
            let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
            let temporary = SystemPath(folder(of: path)) + ".ncloud-kms-\(suffix)".utf8CString
            let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { return (temporary, descriptor) }
            guard errno == EEXIST || errno == EINTR else { throw PlatformError("open") }
        }
    }

    /// Writes all, sees to it that it is on the disk, and closes.
    private static func fill(_ descriptor: CInt, with bytes: [UInt8], mode: mode_t?) throws(PlatformError) {
        do throws(PlatformError) {
            if let mode, fchmod(descriptor, mode) != 0 { throw PlatformError("fchmod") }
            try FileContents.append(bytes, to: descriptor)
            // Else a crash could leave an empty file under the new name.
            guard fsync(descriptor) == 0 else { throw PlatformError("fsync") }
        } catch {
            close(descriptor)
            throw error
        }
        // A network's file system may tell only now that it had no room.
        guard close(descriptor) == 0 else { throw PlatformError("close") }
    }
}
