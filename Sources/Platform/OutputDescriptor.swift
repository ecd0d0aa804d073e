import CLinux

/// Writes to a descriptor without ever waiting, and without changing its flags: a blocking pipe, a socket or a
/// non-blocking terminal may be shared with the program that gave it to us.
public struct OutputDescriptor: Sendable {
    public enum WriteResult: Equatable, Sendable {
        case wrote(Int)
        /// Wait until `poll` says that it is writable.
        case wouldBlock
        /// Nobody will read it any more, or it is broken: the error number says how.
        case closed(CInt)
    }

    private enum Way {
        /// Files: a write ends by itself.
        case plain
        case socket
        /// Pipes, terminals and other devices.
        case other(chunkBytes: Int)
    }

    /// A pipe that is writable takes so many bytes at once without blocking (PIPE_BUF on Linux; POSIX wants 512).
    private static let pipeChunkBytes = 4096
    /// A terminal that is writable has room for some 256 characters (`WAKEUP_CHARS` of Linux).
    private static let deviceChunkBytes = 256

    public let descriptor: CInt
    private let way: Way

    public init(_ descriptor: CInt) {
        self.descriptor = descriptor
        var status = stat()
        fstat(descriptor, &status)
        way =
            switch status.st_mode & S_IFMT {
            case S_IFREG, S_IFBLK: .plain
            case S_IFSOCK: .socket
            case S_IFIFO: .other(chunkBytes: Self.pipeChunkBytes)
            default: .other(chunkBytes: Self.deviceChunkBytes)
            }
    }

    /// Writes what goes without waiting, from the front.
    public func write(_ bytes: UnsafeRawBufferPointer) -> WriteResult {
        guard let base = bytes.baseAddress else { return .wrote(0) }
        while true {
            let count = writeOnce(base, bytes.count)
            if count >= 0 { return .wrote(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return .wouldBlock
            case let number: return .closed(number)
            }
        }
    }

    private func writeOnce(_ base: UnsafeRawPointer, _ count: Int) -> Int {
        switch way {
        case .plain:
            return systemWrite(descriptor, base, count)
        case .socket:
            #if os(Linux)
            return send(descriptor, base, count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
            #else
            return send(descriptor, base, count, CInt(MSG_DONTWAIT))
            #endif
        case .other(let chunkBytes):
            #if os(Linux)
            let written = clinux_write_nowait(descriptor, base, count)
            if written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) { return written }
            #endif
            // Another system, an older kernel, or a device: a small write after a look.
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 0) > 0 else {
                errno = EAGAIN
                return -1
            }
            return systemWrite(descriptor, base, min(count, chunkBytes))
        }
    }
}

/// `write(2)`, which the method of the same name hides.
private func systemWrite(_ descriptor: CInt, _ base: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, base, count)
}
