import Platform

/// The bytes that were read and not consumed yet, in one piece. Reads go straight into it.
struct InputBuffer: ~Copyable {
    /// Asked of the system at once; what a pipe holds on Linux.
    private static let readBytes = 64 << 10
    /// A buffer that one long line has blown up beyond this is given back when it is empty.
    private static let keptBytes = 1 << 20

    private var storage: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var end = 0

    init() {
        capacity = 2 * Self.readBytes
        storage = Self.resized(nil, to: capacity)
    }

    deinit { free(storage) }

    /// What was not consumed. Valid until the next `read`.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeRawBufferPointer(start: storage + start, count: end - start).assumingMemoryBound(to: UInt8.self)
    }

    mutating func consume(_ count: Int) {
        start += count
    }

    enum ReadResult: Equatable {
        case bytes
        case end
        case wouldBlock
        case failed(CInt)
    }

    /// One `read(2)`, appended. Call it only when the descriptor is readable, for it may be a blocking one.
    mutating func read(from descriptor: CInt) -> ReadResult {
        makeRoom()
        while true {
            let count = Platform.read(descriptor, storage + end, min(capacity - end, Self.readBytes))
            if count > 0 {
                end += count
                return .bytes
            }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: return .wouldBlock
            case let number: return .failed(number)
            }
        }
    }

    /// Leaves room for a whole read behind the bytes. Doubles when they fill most of the buffer, so that every byte is
    /// moved a constant number of times on average.
    private mutating func makeRoom() {
        let count = end - start
        if count == 0, capacity > Self.keptBytes {
            free(storage)
            capacity = 2 * Self.readBytes
            storage = Self.resized(nil, to: capacity)
            (start, end) = (0, 0)
        } else if capacity - end < Self.readBytes {
            if start > 0 { memmove(storage, storage + start, count) }
            (start, end) = (0, count)
            guard count > capacity / 2 else { return }
            capacity *= 2
            storage = Self.resized(storage, to: capacity)
        }
    }

    /// Not by Swift's own allocation: `realloc` moves a block that has a mapping of its own without copying it.
    private static func resized(_ old: UnsafeMutableRawPointer?, to capacity: Int) -> UnsafeMutableRawPointer {
        guard let new = realloc(old, capacity) else { fatalError("no memory for a message of \(capacity) bytes") }
        #if os(Linux)
        if capacity > keptBytes { adviseHugePages(UnsafeMutableRawBufferPointer(start: new, count: capacity)) }
        #endif
        return new
    }

    #if os(Linux)
    /// Half of the time of a line of 64 MiB would be page faults. A system that has no huge pages just says no.
    private static func adviseHugePages(_ memory: UnsafeMutableRawBufferPointer) {
        let pageBytes = Int(sysconf(CInt(_SC_PAGESIZE)))
        guard pageBytes > 0, let base = memory.baseAddress else { return }
        // The first page as well, which holds the allocator's header: `realloc` can't move a block that is advised in part.
        let inset = Int(bitPattern: base) & (pageBytes - 1)
        madvise(base - inset, memory.count + inset, MADV_HUGEPAGE)
    }
    #endif
}
