import CLinux

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
