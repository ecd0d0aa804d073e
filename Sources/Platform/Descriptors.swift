import CLinux

/// Descriptors of the process's own.
public enum Descriptors {
    /// A pipe whose ends are closed on exec.
    public static func pipe(isNonBlocking: Bool = false) throws(PlatformError) -> (read: CInt, write: CInt) {
        var ends: [CInt] = [-1, -1]
        #if os(Linux)
        guard clinux_pipe2(&ends, O_CLOEXEC | (isNonBlocking ? O_NONBLOCK : 0)) == 0 else {
            throw PlatformError("pipe2")
        }
        #else
        guard systemPipe(&ends) == 0 else { throw PlatformError("pipe") }
        for end in ends {
            if isNonBlocking { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        #endif
        return (ends[0], ends[1])
    }

    /// A copy of a descriptor at 3 or above, closed on exec; nil if the descriptor is not open.
    public static func privateCopy(of descriptor: CInt) -> CInt? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        return copy >= 0 ? copy : nil
    }

    /// Whether the process, or the system, may open no more of them at this moment.
    package static var areExhausted: Bool {
        let probe = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard probe < 0 else {
            close(probe)
            return false
        }
        return errno == EMFILE || errno == ENFILE
    }
}

#if !os(Linux)
/// `pipe(2)`, which the method of the same name hides.
private func systemPipe(_ ends: UnsafeMutablePointer<CInt>) -> CInt {
    pipe(ends)
}
#endif
