import CKMSLinux

/// Threads of our own, for work that blocks: Swift's cooperative pool has one thread per core, and none to spare.
public enum Thread {
    /// Starts `body` on a new, detached thread.
    ///
    /// - Parameters:
    ///   - name: the name that debuggers and `/proc/PID/task/*/comm` show; at most 15 bytes on Linux, cut if longer.
    ///   - stackBytes: the size of its stack, at least 64 KiB.
    /// - Throws: `PlatformError` if the system refuses another thread.
    public static func start(
        name: String, stackBytes: Int = 512 << 10, _ body: @escaping @Sendable () -> Void
    ) throws(PlatformError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, max(stackBytes, 64 << 10))

        let start = Unmanaged.passRetained(Start(name: name, body: body))
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let status = pthread_create(&thread, &attributes, threadMain, start.toOpaque())
        guard status == 0 else {
            start.release()
            throw PlatformError("pthread_create", errorNumber: status)
        }
    }

    /// Leaves the process's signals to other threads. SIGPIPE, which a write to a closed connection raises on the
    /// thread itself, stays blocked.
    static func blockSignals() {
        var blocked = sigset_t()
        sigfillset(&blocked)
        // Signals of our own faults must reach the crash handler.
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS] { sigdelset(&blocked, fault) }
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
    }

    fileprivate final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}

#if canImport(Darwin)
private nonisolated func threadMain(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Thread.Start>.fromOpaque(argument).takeRetainedValue()
    pthread_setname_np(start.name)
    start.body()
    return nil
}
#else
private nonisolated func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<Thread.Start>.fromOpaque(argument).takeRetainedValue()
    _ = clinux_set_thread_name(start.name)
    start.body()
    return nil
}
#endif
