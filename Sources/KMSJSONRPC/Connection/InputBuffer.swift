import KMSPlatform

/// The bytes that were read and not consumed yet, in one piece. Reads go straight into it.
struct InputBuffer: ~Copyable {
    /// Asked of the system at once; what a pipe holds on Linux.
    private static let readBytes = 64 << 10
    /// A buffer that one long line has blown up beyond this is given back when it is empty.
    private static let keptBytes = 1 << 20

    /// Nil before the first read.
    private var storage: UnsafeMutableRawPointer?
    private var capacity = 0
    private var start = 0
    private var end = 0

    init() {}

    deinit { free(storage) }

    /// What was not consumed. Valid until the next `read`.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeRawBufferPointer(start: storage.map { $0 + start }, count: end - start)
            .assumingMemoryBound(to: UInt8.self)
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
        guard let room = makeRoom() else { return .failed(ENOMEM) }
        while true {
            let count = KMSPlatform.read(descriptor, room.baseAddress, room.count)
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

    /// The room for a whole read after the bytes. Doubles when they fill most of the buffer, so that every byte is moved a
    /// constant number of times on average. Nil, with everything as it was, if there is no memory for more.
    private mutating func makeRoom() -> UnsafeMutableRawBufferPointer? {
        let count = end - start
        if count == 0 {
            (start, end) = (0, 0)
            // What can't be given back is kept.
            if capacity > Self.keptBytes { _ = resize(to: 2 * Self.readBytes) }
        }
        if capacity - end < Self.readBytes {
            if start > 0, let storage { memmove(storage, storage + start, count) }
            (start, end) = (0, count)
            let isMostlyFull = capacity == 0 || count > capacity / 2
            guard !isMostlyFull || resize(to: max(2 * capacity, 2 * Self.readBytes)) else { return nil }
        }
        return UnsafeMutableRawBufferPointer(start: storage.map { $0 + end }, count: Self.readBytes)
    }

    /// Not by Swift's own allocation: `realloc` moves a block that has a mapping of its own without copying it, and says
    /// when there is no memory.
    private mutating func resize(to newCapacity: Int) -> Bool {
        guard let resized = realloc(storage, newCapacity) else { return false }
        (storage, capacity) = (resized, newCapacity)
        #if os(Linux)
        if capacity > Self.keptBytes {
            Self.adviseHugePages(UnsafeMutableRawBufferPointer(start: resized, count: capacity))
        }
        #endif
        return true
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
