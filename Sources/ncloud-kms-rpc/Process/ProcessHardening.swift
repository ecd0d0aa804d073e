import CKMSLinux
import KMSPlatform

/// Keeps other processes away from the memory of this one, which contains a secret.
enum ProcessHardening {
    /// Disables core dumps, on Linux debuggers of the same user, and files of TLS secrets. Call it before the first
    /// secret is read and before libcurl is used.
    static func forbidInspection() throws(PlatformError) {
        // libcurl, and newer releases of OpenSSL, append the secrets of every connection to the file that this variable
        // names.
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
    /// Makes the allocator keep each large block in a mapping of its own, however many have been freed, so that a long
    /// message grows without being copied, and its memory returns to the system after use.
    static func keepApart() {
        #if os(Linux)
        // This is glibc's default; but only a threshold that was set stays constant, otherwise it grows with every
        // mapped block that is freed.
        clinux_set_mapping_threshold(128 << 10)
        #endif
    }
}
