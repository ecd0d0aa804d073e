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

/// `read(2)`, which the methods of the same name hide.
private func systemRead(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
