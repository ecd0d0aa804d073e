import CKMSHiredis
import KMSPlatform

/// Makes replies from the engine's bytes, with hiredis' reader.
final class EngineReplyReader {
    enum Problem: Error, Equatable {
        /// It is not RESP2, or deeper than any reply to our commands.
        case malformed
        /// A reply is larger than the limit.
        case tooLarge
    }

    /// The largest reply in bytes. An entry has at most 4 KiB.
    static let largestReply = 64 << 10
    /// Arrays of arrays: no reply to our commands has any.
    private static let deepestArray = 4
    /// The shortest element of an array is `:0` with its line end.
    private static let mostElements = largestReply / 4

    private let handle: UnsafeMutablePointer<redisReader>
    /// hiredis keeps the address.
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    /// The bytes since the end of the last whole reply.
    private var unfinishedBytes = 0

    init() {
        functions = .allocate(capacity: 1)
        functions.initialize(to: Self.makeFunctions())
        // Fails only without memory, where Swift's own allocations trap as well.
        guard let handle = redisReaderCreateWithFunctions(functions) else {
            preconditionFailure("no memory for a reader of replies")
        }
        self.handle = handle
    }

    deinit {
        redisReaderFree(handle)
        functions.deallocate()
    }

    /// Takes bytes; `next` returns the replies that are whole then.
    func feed(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        unfinishedBytes += bytes.count
        let status = redisReaderFeed(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        guard status == REDIS_OK else { throw .malformed }
    }

    /// The next reply; nil if it is not whole yet.
    func next() throws(Problem) -> EngineReply? {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(handle, &object) == REDIS_OK else { throw .malformed }
        guard let object else {
            guard unfinishedBytes <= Self.largestReply else { throw .tooLarge }
            return nil
        }
        let node = Unmanaged<Node>.fromOpaque(object).takeRetainedValue()
        let rest = handle.pointee.len - handle.pointee.pos
        guard unfinishedBytes - rest <= Self.largestReply else { throw .tooLarge }
        unfinishedBytes = rest
        return node.reply
    }

    // MARK: hiredis' callbacks

    /// A reply that hiredis is making. The reader owns the outermost one, and each array its elements.
    private final class Node {
        private let value: EngineReply?
        /// Of an array.
        private var elements: [Node] = []

        /// - Parameter value: nil for an array.
        init(_ value: EngineReply?) { self.value = value }

        var reply: EngineReply { value ?? .array(elements.map(\.reply)) }

        /// Puts a reply where it belongs.
        ///
        /// - Returns: its address, for hiredis.
        static func place(_ value: EngineReply?, _ task: redisReadTask) -> UnsafeMutableRawPointer? {
            let node = Node(value)
            guard let parent = task.parent else { return Unmanaged.passRetained(node).toOpaque() }
            guard let array = parent.pointee.obj else { return nil }
            Unmanaged<Node>.fromOpaque(array).takeUnretainedValue().elements.append(node)
            return Unmanaged.passUnretained(node).toOpaque()
        }
    }

    /// Each returns nil for what is not accepted, which hiredis reports as a lack of memory.
    private static func makeFunctions() -> redisReplyObjectFunctions {
        var functions = chiredis_functions()
        functions.createString = { task, text, count in
            guard let task = task?.pointee else { return nil }
            let bytes = UnsafeRawBufferPointer(start: text, count: count)
            switch task.type {
            case REDIS_REPLY_STRING: return Node.place(.bytes(Array(bytes)), task)
            case REDIS_REPLY_STATUS: return Node.place(.status(Array(bytes)), task)
            case REDIS_REPLY_ERROR: return Node.place(.error(EngineError(bytes)), task)
            default: return nil
            }
        }
        functions.createArray = { task, count in
            guard let task = task?.pointee, task.type == REDIS_REPLY_ARRAY, count <= EngineReplyReader.mostElements
            else { return nil }
            var depth = 1
            var parent = task.parent
            while let outer = parent {
                depth += 1
                parent = outer.pointee.parent
            }
            return depth <= EngineReplyReader.deepestArray ? Node.place(nil, task) : nil
        }
        functions.createInteger = { task, value in
            guard let task = task?.pointee else { return nil }
            return Node.place(.integer(value), task)
        }
        functions.createNil = { task in
            guard let task = task?.pointee else { return nil }
            return Node.place(.null, task)
        }
        functions.freeObject = { object in
            if let object { Unmanaged<Node>.fromOpaque(object).release() }
        }
        return functions
    }
}
