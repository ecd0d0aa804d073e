import CKMSLinux
import KMSPlatform

/// The process whose end also ends this one.
enum ParentProcess {
    /// A descriptor that becomes readable when the process ends, without polling; it is readable at once if the process
    /// has ended.
    ///
    /// On Linux it is a pidfd. A sandbox may forbid those (`EPERM` or `ENOSYS` from a seccomp filter); then the kernel
    /// is asked to send a signal instead, which it does only for the process that started this one.
    ///
    /// - Throws: `PlatformError` if the system can't watch the process.
    static func endDescriptor(of pid: CInt) throws(PlatformError) -> CInt {
        #if os(Linux)
        let descriptor = clinux_pidfd_open(pid)
        if descriptor >= 0 { return descriptor }
        let refusal = PlatformError("pidfd_open")
        if refusal.errorNumber == ESRCH || isGone(pid) { return try readableDescriptor() }
        guard getppid() == pid else { throw refusal }
        return try signalledDescriptor(pid)
        #else
        throw PlatformError("pidfd_open", errorNumber: ENOSYS)
        #endif
    }

    #if os(Linux)
    private static func isGone(_ pid: CInt) -> Bool { kill(pid, 0) != 0 && errno == ESRCH }

    private static func readableDescriptor() throws(PlatformError) -> CInt {
        let ends = try Descriptors.pipe(isNonBlocking: true)
        close(ends.write)
        return ends.read
    }

    private static func signalledDescriptor(_ pid: CInt) throws(PlatformError) -> CInt {
        let ends = try Descriptors.pipe(isNonBlocking: true)
        (watchedParent, parentPipe) = (pid, ends.write)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = parentSignalHandler
        action.sa_flags = SA_RESTART
        guard sigaction(SIGUSR2, &action, nil) == 0, clinux_set_parent_death_signal(SIGUSR2) == 0 else {
            throw PlatformError("prctl PR_SET_PDEATHSIG")
        }
        // It may have ended before the request to the kernel.
        parentSignalHandler(SIGUSR2)
        return ends.read
    }
    #endif
}

#if os(Linux)
// Written once, before the handler can run, and then only read.
private nonisolated(unsafe) var watchedParent: CInt = 0
private nonisolated(unsafe) var parentPipe: CInt = -1

/// Async-signal-safe. The signal also arrives when only the thread that started us ends, while its process lives on.
private nonisolated func parentSignalHandler(_ number: CInt) {
    guard getppid() != watchedParent else { return }
    let saved = errno
    var byte: UInt8 = 1
    _ = write(parentPipe, &byte, 1)
    errno = saved
}
#endif
