/// Whole files and whole writes; all of them wait, for a descriptor that another program made non-blocking, too.
package enum FileContents {
    /// - Parameter maximumBytes: a longer file fails with `EFBIG`.
    package static func of(_ path: String, maximumBytes: Int = .max) throws(PlatformError) -> [UInt8] {
        var contents: [UInt8] = []
        try read(path) { bytes throws(PlatformError) in
            contents += bytes
            if contents.count > maximumBytes { throw PlatformError("read", errorNumber: EFBIG) }
        }
        return contents
    }

    /// - Parameter maximumBytes: more fail with `EFBIG`.
    package static func of(descriptor: CInt, maximumBytes: Int) throws(PlatformError) -> [UInt8] {
        var contents: [UInt8] = []
        try read(descriptor: descriptor) { bytes throws(PlatformError) in
            contents += bytes
            if contents.count > maximumBytes { throw PlatformError("read", errorNumber: EFBIG) }
        }
        return contents
    }

    /// Reads a file to its end, piece by piece.
    package static func read(
        _ path: String, _ take: (UnsafeRawBufferPointer) throws(PlatformError) -> Void
    ) throws(PlatformError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError("open") }
        defer { close(descriptor) }
        try read(descriptor: descriptor, take)
    }

    /// Reads a descriptor to its end, piece by piece.
    package static func read(
        descriptor: CInt, _ take: (UnsafeRawBufferPointer) throws(PlatformError) -> Void
    ) throws(PlatformError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = systemRead(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, waits(for: descriptor, POLLIN) { continue }
            guard count >= 0 else { throw PlatformError("read") }
            guard count > 0 else { return }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Writes all of the bytes.
    package static func append(_ bytes: [UInt8], to descriptor: CInt) throws(PlatformError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, waits(for: descriptor, POLLOUT) { continue }
            guard count >= 0 else { throw PlatformError("write") }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether the call that failed is worth another try; before that the descriptor is ready for it.
    private static func waits(for descriptor: CInt, _ events: some BinaryInteger) -> Bool {
        switch errno {
        case EINTR: return true
        case EAGAIN, EWOULDBLOCK:
            var entry = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
            // A failure of `poll` is only another try.
            poll(&entry, 1, -1)
            return true
        default: return false
        }
    }
}

/// Which state of a file was read: while it looks the same, its contents are the same.
///
/// Size and modification time alone would not do: an overwrite in place can keep both (`touch -r`). The time of the
/// last change of the inode (`ctime`) can't be set.
package struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modifiedNanoseconds: Int64
    private let changedNanoseconds: Int64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        #if canImport(Darwin)
        let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
        let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        modifiedNanoseconds = Self.nanoseconds(modified)
        changedNanoseconds = Self.nanoseconds(changed)
    }

    /// The file's state now; nil when there is no such file or it can't be reached.
    package init?(ofFile path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// A file that is open for reading and known to be a regular one.
///
/// Every file that is named from outside is opened like this if it is read at the start or again and again. A pipe gives
/// its contents once, and both a pipe and a terminal can block the thread that opens or reads them forever.
package struct RegularFile: ~Copyable {
    /// Why there are no contents.
    package enum Problem: Error, Equatable, CustomStringConvertible {
        /// `EFBIG` for a file larger than its reader takes.
        case system(PlatformError)
        case notRegular(isDirectory: Bool)

        package var description: String {
            switch self {
            case .system(let error): "\(error)"
            case .notRegular(isDirectory: true): "it is a directory"
            case .notRegular(isDirectory: false): "it is a pipe or a device, and must be a regular file"
            }
        }
    }

    private let descriptor: CInt

    /// Taken before anything is read: a change in between then shows as one at the next look.
    package let stamp: FileStamp

    /// Whether users other than the owner may read it, by its mode.
    package let isReadableByOthers: Bool

    /// Whether it is on a read-only mount, where nobody can change its mode: so containers get their secrets.
    package var isOnReadOnlyMount: Bool {
        var status = statvfs()
        // A failure counts as the usual case.
        return fstatvfs(descriptor, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }

    package init(opening path: String) throws(Problem) {
        // Looked at before it is opened, which can have consequences where it is a device; and after, as it may have been
        // replaced in between.
        var status = stat()
        guard stat(path, &status) == 0 else { throw .system(PlatformError("open")) }
        try Self.check(status)
        // Non-blocking, so that a pipe can't stop the thread that opens it, and never a controlling terminal.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw .system(PlatformError("open")) }
        do throws(Problem) {
            guard fstat(descriptor, &status) == 0 else { throw .system(PlatformError("fstat")) }
            try Self.check(status)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        stamp = FileStamp(status)
        isReadableByOthers = status.st_mode & (S_IRGRP | S_IROTH) != 0
    }

    private static func check(_ status: stat) throws(Problem) {
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else { throw .notRegular(isDirectory: kind == S_IFDIR) }
    }

    deinit {
        close(descriptor)
    }

    /// Reads to the file's end.
    ///
    /// - Parameter memory: larger than the file may be: when it is full the file is too large.
    /// - Returns: the number of bytes.
    package borrowing func read(into memory: UnsafeMutableRawBufferPointer) throws(Problem) -> Int {
        var count = 0
        while count < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[count...])
            let read = systemRead(descriptor, rest.baseAddress, rest.count)
            if read == 0 { return count }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw .system(PlatformError("read")) }
            count += read
        }
        throw .system(PlatformError("read", errorNumber: EFBIG))
    }

    /// The whole file.
    package borrowing func contents(maximumBytes: Int) throws(Problem) -> [UInt8] {
        var contents: [UInt8] = []
        do throws(PlatformError) {
            try FileContents.read(descriptor: descriptor) { bytes throws(PlatformError) in
                contents += bytes
                if contents.count > maximumBytes { throw PlatformError("read", errorNumber: EFBIG) }
            }
        } catch {
            throw .system(error)
        }
        return contents
    }
}

/// `read(2)`, which the methods of the same name hide.
private func systemRead(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
