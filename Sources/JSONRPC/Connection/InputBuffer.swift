import Platform

/// The bytes that were read and not consumed yet, in one piece. Reads go straight into it.
struct InputBuffer: ~Copyable {
    /// Asked of the system at once; what a pipe holds on Linux.
    private static let readBytes = 64 << 10
    /// A buffer that one long line has blown up beyond this is given back when it is empty.
    private static let keptBytes = 1 << 20

    private var storage: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var start = 0
    private var end = 0

    init() {
        capacity = 2 * Self.readBytes
        storage = .allocate(capacity: capacity)
    }

    deinit { storage.deallocate() }

    /// What was not consumed. Valid until the next `read`.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: storage + start, count: end - start)
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
            replaceStorage(capacity: 2 * Self.readBytes, count: 0)
        } else if capacity - end < Self.readBytes {
            if count > capacity / 2 {
                replaceStorage(capacity: 2 * capacity, count: count)
            } else {
                storage.update(from: storage + start, count: count)
                (start, end) = (0, count)
            }
        }
    }

    private mutating func replaceStorage(capacity newCapacity: Int, count: Int) {
        let replacement = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        replacement.update(from: storage + start, count: count)
        storage.deallocate()
        (storage, capacity, start, end) = (replacement, newCapacity, 0, count)
    }
}
