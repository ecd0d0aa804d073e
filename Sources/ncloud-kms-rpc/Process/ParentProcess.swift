import CKMSLinux
import KMSPlatform

/// The process whose end is ours, too.
enum ParentProcess {
    /// A descriptor that becomes readable when the process ends, without anybody looking again and again; readable already
    /// if it has ended.
    ///
    /// A pidfd, on Linux. A sandbox may forbid those (`EPERM` or `ENOSYS` of seccomp's filters); then the kernel is asked
    /// to send a signal instead, which it does for the process that has started this one and for no other.
    ///
    /// - Throws: `PlatformError` where the system can't tell.
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
        // It may have ended before the kernel was asked.
        parentSignalHandler(SIGUSR2)
        return ends.read
    }
    #endif
}

#if os(Linux)
// Written once, before the handler can run, and then only read.
private nonisolated(unsafe) var watchedParent: CInt = 0
private nonisolated(unsafe) var parentPipe: CInt = -1

/// Async-signal-safe. The signal comes when the thread that has started us ends, too, while its process lives on.
private nonisolated func parentSignalHandler(_ number: CInt) {
    guard getppid() != watchedParent else { return }
    let saved = errno
    var byte: UInt8 = 1
    _ = write(parentPipe, &byte, 1)
    errno = saved
}
#endif
