import Platform

/// Descriptors that no child inherits. One that stays open in a child keeps its connection or pipe open after it was
/// closed here.
///
/// The calls that set close-on-exec at once (`accept4`, `pipe2`) are no part of the C library as Swift sees it, so a
/// lock keeps children from being started between the two steps.
enum PrivateDescriptors {
    private static let creation = Lock(())

    static func pipe() throws -> (reader: Int32, writer: Int32) {
        try creation.withLock { _ in
            var ends: [Int32] = [-1, -1]
            guard Platform.pipe(&ends) == 0 else { throw PlatformError("pipe") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    /// Takes a connection that waits already: `poll` said so.
    ///
    /// - Returns: -1 with `errno` if there is none.
    static func accept(_ listener: Int32) -> Int32 {
        creation.withLock { _ in
            let descriptor = Platform.accept(listener, nil, nil)
            if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            return descriptor
        }
    }

    static func whileNoneIsOpened<Result>(_ body: () -> Result) -> Result {
        creation.withLock { _ in body() }
    }
}
