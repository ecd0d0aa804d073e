/// Reads whole files and writes all bytes. Every function blocks, even if another program made the descriptor
/// non-blocking.
package enum FileContents {
    /// The contents of a file.
    ///
    /// - Parameter maximumBytes: a longer file fails with `EFBIG`.
    /// - Throws: `PlatformError` with the system call that failed.
    package static func of(_ path: String, maximumBytes: Int = .max) throws(PlatformError) -> [UInt8] {
        var contents: [UInt8] = []
        try read(path) { bytes throws(PlatformError) in
            contents += bytes
            if contents.count > maximumBytes { throw PlatformError("read", errorNumber: EFBIG) }
        }
        return contents
    }

    /// Everything up to the end of a descriptor.
    ///
    /// - Parameter maximumBytes: more than this fails with `EFBIG`.
    package static func of(descriptor: CInt, maximumBytes: Int) throws(PlatformError) -> [UInt8] {
        var contents: [UInt8] = []
        try read(descriptor: descriptor) { bytes throws(PlatformError) in
            contents += bytes
            if contents.count > maximumBytes { throw PlatformError("read", errorNumber: EFBIG) }
        }
        return contents
    }

    /// Reads a file to its end, in chunks.
    package static func read(
        _ path: String, _ take: (UnsafeRawBufferPointer) throws(PlatformError) -> Void
    ) throws(PlatformError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PlatformError("open") }
        defer { close(descriptor) }
        try read(descriptor: descriptor, take)
    }

    /// Reads a descriptor to its end, in chunks.
    ///
    /// - Parameter end: When to give up, with `ETIMEDOUT`.
    package static func read(
        descriptor: CInt, until end: Instant = .distantFuture,
        _ take: (UnsafeRawBufferPointer) throws(PlatformError) -> Void
    ) throws(PlatformError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            if end < .distantFuture { try waitForInput(of: descriptor, until: end) }
            let count = systemRead(descriptor, buffer.baseAddress, buffer.count)
            if count < 0, waits(for: descriptor, POLLIN) { continue }
            guard count >= 0 else { throw PlatformError("read") }
            guard count > 0 else { return }
            try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Writes all of the bytes, however many calls it takes.
    package static func append(_ bytes: [UInt8], to descriptor: CInt) throws(PlatformError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, waits(for: descriptor, POLLOUT) { continue }
            guard count >= 0 else { throw PlatformError("write") }
            rest = rest.dropFirst(count)
        }
    }

    private static func waitForInput(of descriptor: CInt, until end: Instant) throws(PlatformError) {
        let clock = SystemClock()
        while true {
            let rest = end - clock.now
            guard rest > .zero else { throw PlatformError("read", errorNumber: ETIMEDOUT) }
            var entry = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: POLLIN), revents: 0)
            // What is wrong with the descriptor is for `read` to say.
            if poll(&entry, 1, CInt(clamping: rest.millisecondsRoundedUp)) > 0 { return }
        }
    }

    /// Whether the failed call should be repeated; waits until the descriptor is ready for it.
    private static func waits(for descriptor: CInt, _ events: some BinaryInteger) -> Bool {
        switch errno {
        case EINTR: return true
        case EAGAIN, EWOULDBLOCK:
            var entry = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
            // If `poll` fails, the only consequence is one more attempt.
            poll(&entry, 1, -1)
            return true
        default: return false
        }
    }
}

/// Identifies the state of a file that was read: while the stamp is equal, so are the contents.
///
/// Size and modification time are not enough: an overwrite in place can keep both (`touch -r`). The time of the inode's
/// last change (`ctime`) can't be set by a program.
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

    /// The file's current state; nil if there is no such file or it can't be reached.
    package init?(ofFile path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// A file that is open for reading and known to be a regular file.
///
/// Every file that the user names is opened this way if it is read at the start, or repeatedly. A pipe yields its
/// contents only once, and opening or reading a pipe or a terminal can block a thread forever.
package struct RegularFile: ~Copyable {
    /// Why the file can't be read.
    package enum Problem: Error, Equatable, CustomStringConvertible {
        /// `EFBIG` for a file larger than the reader's limit.
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

    /// Taken before anything is read, so that a change during the read shows at the next comparison.
    package let stamp: FileStamp

    /// Whether users other than this process's, and root, can read or change it: because its mode says so, whose group
    /// bits also stand for access control lists, or because it is theirs.
    package let isOpenToOthers: Bool

    /// Whether it is on a read-only mount, where nobody can change its mode; containers get their secrets this way.
    package var isOnReadOnlyMount: Bool {
        var status = statvfs()
        // A failure counts as the usual case: not read-only.
        return fstatvfs(descriptor, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
    }

    /// Opens a file; `Problem.notRegular` if it is anything but a regular file.
    package init(opening path: String) throws(Problem) {
        // Checked before it is opened, because opening a device can have side effects; and again after, because the
        // file may have been replaced in between.
        var status = stat()
        guard stat(path, &status) == 0 else { throw .system(PlatformError("open")) }
        try Self.check(status)
        // Non-blocking, so that a pipe can't block the thread that opens it; and never as a controlling terminal.
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
        let isOwnedByOther = status.st_uid != 0 && status.st_uid != geteuid()
        isOpenToOthers = isOwnedByOther || status.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH) != 0
    }

    private static func check(_ status: stat) throws(Problem) {
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG else { throw .notRegular(isDirectory: kind == S_IFDIR) }
    }

    deinit {
        close(descriptor)
    }

    /// Reads to the end of the file.
    ///
    /// - Parameter memory: one byte more than the largest allowed file: if it fills up, the file is too large
    ///   (`EFBIG`).
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
    ///
    /// - Parameter maximumBytes: a larger file fails with `EFBIG`.
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
