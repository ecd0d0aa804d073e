import CLinux
import Platform

/// The process whose end is ours, too.
enum ParentProcess {
    /// A descriptor that becomes readable when the process ends; nil if it has ended already.
    ///
    /// - Throws: `PlatformError` where the system can't tell without polling.
    static func endDescriptor(of pid: Int) throws(PlatformError) -> CInt? {
        #if os(Linux)
        let descriptor = clinux_pidfd_open(CInt(pid))
        if descriptor >= 0 { return descriptor }
        if errno == ESRCH { return nil }
        throw PlatformError("pidfd_open")
        #else
        throw PlatformError("pidfd_open", errorNumber: ENOSYS)
        #endif
    }
}
