import CKMSLinux

/// Writes to a descriptor without ever blocking, and without changing its flags: the blocking pipe, socket or
/// non-blocking terminal may be shared with the program that spawned us.
public struct OutputDescriptor: Sendable {
    /// The result of a write.
    public enum WriteResult: Equatable, Sendable {
        case wrote(Int)
        /// Wait until `poll` reports that it is writable.
        case wouldBlock
        /// There is no reader any more, or the descriptor is broken; the value is `errno`.
        case closed(CInt)
    }

    private enum Way {
        /// Files: a write never waits for a reader.
        case plain
        case socket
        /// Pipes, terminals and other devices.
        case other(chunkBytes: Int)
    }

    /// A writable pipe takes this many bytes at once without blocking (PIPE_BUF on Linux; POSIX requires at least 512).
    private static let pipeChunkBytes = 4096
    /// A writable terminal has room for about 256 characters (`WAKEUP_CHARS` of Linux).
    private static let deviceChunkBytes = 256

    /// The descriptor to write to. The caller must close it.
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

    /// Writes as much as fits without waiting, from the front.
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

    /// Doubles the capacity of a full pipe or socket, so that a process that is about to end can write its last answer.
    /// A pipe is limited by `fs.pipe-max-size` (1 MiB), a socket by `net.core.wmem_max`, unless the process has the
    /// privilege to exceed them.
    ///
    /// - Returns: whether the capacity grew; false for other kinds of descriptors, and where it can't be changed.
    public func enlarge() -> Bool {
        #if os(Linux)
        switch way {
        case .socket: return enlargeSendBuffer()
        case .other: return enlargePipe()
        case .plain: return false
        }
        #else
        return false
        #endif
    }

    #if os(Linux)
    private func enlargePipe() -> Bool {
        // F_GETPIPE_SZ and F_SETPIPE_SZ, which Swift does not import. Both fail for anything but a pipe.
        let before = fcntl(descriptor, 1032)
        guard before > 0, before <= .max / 2 else { return false }
        return fcntl(descriptor, 1031, 2 * before) > before
    }

    private func enlargeSendBuffer() -> Bool {
        func size() -> CInt {
            var size: CInt = 0
            var length = socklen_t(MemoryLayout<CInt>.size)
            return getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0 ? size : 0
        }
        let before = size()
        // The kernel doubles the given value, for its own overhead.
        var wanted = before
        for option in [SO_SNDBUF, SO_SNDBUFFORCE] {
            setsockopt(descriptor, SOL_SOCKET, option, &wanted, socklen_t(MemoryLayout<CInt>.size))
            if size() > before { return true }
        }
        return false
    }
    #endif

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
            // Another system, an older kernel, or a device: poll first, then write a small chunk.
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
