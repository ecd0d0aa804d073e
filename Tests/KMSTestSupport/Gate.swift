import KMSPlatform

/// Something to wait for on a thread of one's own, until somebody opens it, once and for all.
package final class Gate: Sendable {
    private let ends: (read: CInt, write: CInt)

    package init() {
        guard let ends = try? Descriptors.pipe() else { preconditionFailure("no descriptors left") }
        self.ends = ends
    }

    deinit {
        close(ends.read)
        close(ends.write)
    }

    package func open() {
        var byte: UInt8 = 0
        write(ends.write, &byte, 1)
    }

    package func wait() {
        var entry = pollfd(fd: ends.read, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, -1) < 0, errno == EINTR {}
    }
}
