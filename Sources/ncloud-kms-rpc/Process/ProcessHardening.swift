import CLinux
import Platform

/// The process holds a secret, so its memory is nobody else's business.
enum ProcessHardening {
    /// No core dumps, and on Linux no debugger of the same user.
    static func forbidInspection() throws(PlatformError) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(UInt32(RLIMIT_CORE.rawValue))
        #else
        let resource = RLIMIT_CORE
        #endif
        guard setrlimit(resource, &none) == 0 else { throw PlatformError("setrlimit") }
        #if os(Linux)
        guard clinux_set_dumpable(0) == 0 else { throw PlatformError("prctl PR_SET_DUMPABLE") }
        #endif
    }
}
