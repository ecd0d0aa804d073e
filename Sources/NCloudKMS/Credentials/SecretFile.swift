import Platform

/// Which state of a file was read: when it looks the same, its contents are.
package struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modifiedNanoseconds: Int64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        #if canImport(Darwin)
        let modified = status.st_mtimespec
        #else
        let modified = status.st_mtim
        #endif
        modifiedNanoseconds = Int64(modified.tv_sec) &* 1_000_000_000 &+ Int64(modified.tv_nsec)
    }

    /// The file's state now; nil when there is no such file or it can't be reached.
    package init?(ofFile path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// A small file that holds a secret, read into memory that is wiped when freed.
package struct SecretFile: Sendable {
    /// 400 profiles fit; more is a mistake in the path, and not worth the memory.
    package static let maximumBytes = 64 << 10

    package let contents: SecretBytes
    package let stamp: FileStamp

    /// Why there are no contents.
    package enum Problem: Error, Equatable, CustomStringConvertible {
        /// `EFBIG` for a file larger than `maximumBytes`.
        case system(PlatformError)
        /// A pipe gives its contents once, and this is read at the start and again when it has changed.
        case notRegular(isDirectory: Bool)

        package var description: String {
            switch self {
            case .system(let error): "\(error)"
            case .notRegular(isDirectory: true): "it is a directory"
            case .notRegular(isDirectory: false): "it is a pipe or a device, and must be a regular file"
            }
        }
    }

    package init(reading path: String) throws(Problem) {
        // Non-blocking, so that a pipe in the file's place can't stop the thread that opens it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(PlatformError("open")) }
        defer { close(descriptor) }

        // Before reading: a change in between then shows as one at the next look.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(PlatformError("fstat")) }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else { throw .notRegular(isDirectory: kind == S_IFDIR) }
        stamp = FileStamp(status)
        contents = try SecretBytes(capacity: Self.maximumBytes + 1) { memory throws(Problem) in
            var count = 0
            while count < memory.count {
                let rest = UnsafeMutableBufferPointer(rebasing: memory[count...])
                let read = read(descriptor, rest.baseAddress, rest.count)
                if read == 0 { return count }
                if read < 0, errno == EINTR { continue }
                guard read > 0 else { throw .system(PlatformError("read")) }
                count += read
            }
            throw .system(PlatformError("read", errorNumber: EFBIG))
        }
    }
}
