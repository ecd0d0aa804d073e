import KMSPlatform

/// The bytes that have been read and not consumed, contiguous. Reads go straight into it.
struct InputBuffer: ~Copyable {
    /// The size of a read; the capacity of a pipe on Linux.
    private static let readBytes = 64 << 10
    /// A buffer that a long line has grown beyond this size is released when it is empty.
    private static let keptBytes = 1 << 20

    /// Nil until the first read.
    private var storage: UnsafeMutableRawPointer?
    private var capacity = 0
    private var start = 0
    private var end = 0

    init() {}

    deinit { free(storage) }

    /// The bytes that have not been consumed. Valid until the next `read`.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeRawBufferPointer(start: storage.map { $0 + start }, count: end - start)
            .assumingMemoryBound(to: UInt8.self)
    }

    /// Removes bytes from the front.
    mutating func consume(_ count: Int) {
        start += count
    }

    enum ReadResult: Equatable {
        case bytes
        case end
        case wouldBlock
        case failed(CInt)
    }

    /// Appends the result of one `read(2)`. Call it only when the descriptor is readable, because it may be a blocking
    /// one.
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

    /// Makes room for a whole read after the existing bytes. Doubles the buffer if they fill most of it, so that every
    /// byte is moved a constant number of times on average. Nil, without any change, if memory runs out.
    private mutating func makeRoom() -> UnsafeMutableRawBufferPointer? {
        let count = end - start
        if count == 0 {
            (start, end) = (0, 0)
            // If this fails, the large buffer is kept.
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

    /// Not Swift's own allocation: `realloc` moves a block with a mapping of its own without copying it, and reports
    /// when memory runs out.
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
    /// Without this, page faults would take half the time for a 64 MiB line. A system without huge pages just refuses.
    private static func adviseHugePages(_ memory: UnsafeMutableRawBufferPointer) {
        let pageBytes = Int(sysconf(CInt(_SC_PAGESIZE)))
        guard pageBytes > 0, let base = memory.baseAddress else { return }
        // Includes the first page, which contains the allocator's header: `realloc` can't move a block that is advised
        // only in part.
        let inset = Int(bitPattern: base) & (pageBytes - 1)
        madvise(base - inset, memory.count + inset, MADV_HUGEPAGE)
    }
    #endif
}
