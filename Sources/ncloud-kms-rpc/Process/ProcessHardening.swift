import CKMSLinux
import KMSPlatform

/// The process holds a secret, so its memory is nobody else's business.
enum ProcessHardening {
    /// No core dumps, on Linux no debugger of the same user, and no file of TLS secrets. To be called before the first
    /// secret is read and before libcurl is used.
    static func forbidInspection() throws(PlatformError) {
        // libcurl appends the secrets of every connection to the file that it names, and newer releases of OpenSSL do.
        unsetenv("SSLKEYLOGFILE")
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

enum LargeBlocks {
    /// Has the allocator keep each large block in a mapping of its own, however many were freed before: so a long message
    /// is moved without being copied as it grows, and its memory goes back to the system when it was dealt with.
    static func keepApart() {
        #if os(Linux)
        // glibc's own value; but setting it is what makes it stay, as it grows with every mapped block that is freed.
        clinux_set_mapping_threshold(128 << 10)
        #endif
    }
}
