import KMSPlatform
import Testing

@testable import KMSJSONRPC

@Suite struct OutputQueueTests {
    /// Adds a frame as it is, so with its LF.
    private func add(_ frame: [UInt8], to queue: inout OutputQueue) {
        queue.append(style: .line) { $0.append(contentsOf: frame.dropLast()) }
    }

    /// The memory that a queue takes.
    private func heldBytes(_ queue: OutputQueue) throws -> Int {
        let chunks = Mirror(reflecting: queue).children.first { $0.label == "chunks" }
        return try #require(chunks?.value as? [[UInt8]]).reduce(0) { $0 + $1.capacity }
    }

    @Test func `frames come out in order, and nothing is kept`() throws {
        let pipe = makePipe()
        defer { close(pipe.read); close(pipe.write) }
        var queue = OutputQueue()
        queue.append(style: .line) { $0.append(contentsOf: "{}".utf8) }
        queue.append(style: .headers) { $0.append(contentsOf: "[1]".utf8) }
        queue.append(style: .line) { $0.append(contentsOf: "x".utf8) }
        #expect(queue.count == 29)
        #expect(queue.write(to: OutputDescriptor(pipe.write)) == nil)
        #expect(queue.count == 0)
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(pipe.read, &buffer, buffer.count)
        #expect(String(decoding: buffer[..<count], as: UTF8.self) == "{}\nContent-Length: 3\r\n\r\n[1]x\n")
    }

    @Test(arguments: [FrameStyle.line, .headers], [0, 1, 4_096, 4_097, 69_999, 70_000, 70_001])
    func `at the end, the answer that was written in part is completed, and nothing more`(
        style: FrameStyle, room: Int
    ) throws {
        let pipe = makePipe()
        defer { close(pipe.read); close(pipe.write) }
        let output = OutputDescriptor(pipe.write)
        // F_SETPIPE_SZ, which Swift does not import.
        let capacity = Int(fcntl(pipe.write, 1031, 1 << 17))
        let filler = [UInt8](repeating: 0, count: capacity - room)
        try #require(filler.isEmpty || write(pipe.write, filler, filler.count) == filler.count)
        var queue = OutputQueue()
        var whole: [[UInt8]] = []
        for letter in "abc".utf8 {
            var answer: [UInt8] = []
            frame(&answer, style) { $0.append(contentsOf: repeatElement(letter, count: 69_999)) }
            whole.append(answer)
            queue.append(style: style) { $0.append(contentsOf: repeatElement(letter, count: 69_999)) }
        }
        #expect(queue.write(to: output) == nil)
        let written = whole.joined().count - queue.count
        queue.completeWrittenAnswer(to: output, style: style)
        #expect(queue.count == 0)
        var buffer = [UInt8](repeating: 1, count: 1 << 20)
        let count = read(pipe.read, &buffer, buffer.count)
        let ends = [0, whole[0].count, whole[0].count + whole[1].count]
        let end = try #require(ends.first { $0 >= written })
        #expect(count == filler.count + end)
        #expect(buffer[filler.count..<count].elementsEqual(whole.joined().prefix(end)))
    }

    /// The symptom: a client that always lagged a little behind made the buffer grow forever, since what was written
    /// was dropped only when all was.
    @Test func `a client that never quite catches up costs no more than what it has not read`() throws {
        let pipe = makePipe()
        defer { close(pipe.read); close(pipe.write) }
        signal(SIGPIPE, SIG_IGN)
        let output = OutputDescriptor(pipe.write)
        var queue = OutputQueue()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var position = 0
        var isInOrder = true
        let chunk = Array((0..<buffer.count).map { UInt8(truncatingIfNeeded: $0 % 251) }.dropLast() + [10])
        let twice = chunk + chunk
        // What the pipe does not hold at once stays in the queue.
        for _ in 0..<3 { add(chunk, to: &queue) }
        for _ in 0..<200 {
            add(chunk, to: &queue)
            #expect(queue.write(to: output) == nil)
            #expect(queue.count > 0)
            let count = read(pipe.read, &buffer, buffer.count)
            try #require(count > 0)
            isInOrder = isInOrder && memcmp(buffer, Array(twice[position...].prefix(count)), count) == 0
            position = (position + count) % chunk.count
        }
        #expect(isInOrder)
        #expect(try heldBytes(queue) <= 4 * queue.count + (1 << 20))
    }

    /// The symptom: 8 MiB of answers that waited for their reader took 24 MiB, as the array that held them had doubled.
    @Test func `what waits takes little more memory than its bytes`() throws {
        var queue = OutputQueue()
        for _ in 0..<80_000 {
            queue.append(style: .line) { $0.append(contentsOf: repeatElement(UInt8(ascii: "1"), count: 99)) }
        }
        #expect(queue.count == 8_000_000)
        // Each piece may have doubled to 128 KiB, but nothing is ever copied into a larger whole.
        #expect(try heldBytes(queue) < 17_000_000)
    }

    @Test func `a closed pipe is told by its error number`() {
        signal(SIGPIPE, SIG_IGN)
        let pipe = makePipe()
        close(pipe.read)
        defer { close(pipe.write) }
        var queue = OutputQueue()
        add([1, 10], to: &queue)
        #expect(queue.write(to: OutputDescriptor(pipe.write)) == EPIPE)
    }
}
