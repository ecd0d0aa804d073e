import KMSPlatform

/// Counts events, and lets a thread wait for the next one without sleeping: a pipe to oneself, a byte an event.
final class Signal: Sendable {
    private let ends: (read: CInt, write: CInt)

    init() {
        ends = makePipe()
    }

    deinit {
        close(ends.read)
        close(ends.write)
    }

    func fire() {
        var byte: UInt8 = 0
        _ = write(ends.write, &byte, 1)
    }

    /// Readable when an event has come that was not waited for.
    var descriptor: CInt { ends.read }

    /// Waits for a number of events.
    func wait(count: Int = 1) throws {
        for _ in 0..<count {
            try waitUntilReadable(ends.read)
            var byte: UInt8 = 0
            guard read(ends.read, &byte, 1) == 1 else { throw PlatformError("read") }
        }
    }

    /// Whether an event has come that was not waited for.
    var hasFired: Bool { isReadable(ends.read, milliseconds: 0) }
}

/// What did not come is taken for lost after this; only a failing test waits for it.
private let patienceMilliseconds: CInt = 60_000

func waitUntilReadable(_ descriptor: CInt) throws {
    guard isReadable(descriptor, milliseconds: patienceMilliseconds) else {
        throw PlatformError("poll", errorNumber: ETIMEDOUT)
    }
}

func isReadable(_ descriptor: CInt, milliseconds: CInt) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
        let count = poll(&entry, 1, milliseconds)
        if count >= 0 || errno != EINTR { return count > 0 }
    }
}

/// A blocking pipe.
func makePipe() -> (read: CInt, write: CInt) {
    var ends: [CInt] = [-1, -1]
    precondition(pipe(&ends) == 0, "pipe: \(PlatformError.text(of: errno))")
    return (ends[0], ends[1])
}

/// Two connected stream sockets.
func makeSocketPair() -> (CInt, CInt) {
    var ends: [CInt] = [-1, -1]
    precondition(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
    return (ends[0], ends[1])
}
