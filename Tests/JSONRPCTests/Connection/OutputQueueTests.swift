import Platform
import Testing

@testable import JSONRPC

@Suite struct OutputQueueTests {
    @Test func `frames come out in order, and nothing is kept`() throws {
        let pipe = makePipe()
        defer { close(pipe.read); close(pipe.write) }
        var queue = OutputQueue()
        queue.append(style: .line) { $0.append(contentsOf: "{}".utf8) }
        queue.append(style: .headers) { $0.append(contentsOf: "[1]".utf8) }
        queue.append(Array("x\n".utf8))
        #expect(queue.count == 29)
        #expect(queue.write(to: OutputDescriptor(pipe.write)) == nil)
        #expect(queue.count == 0)
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(pipe.read, &buffer, buffer.count)
        #expect(String(decoding: buffer[..<count], as: UTF8.self) == "{}\nContent-Length: 3\r\n\r\n[1]x\n")
    }

    @Test func `a closed pipe is told by its error number`() {
        signal(SIGPIPE, SIG_IGN)
        let pipe = makePipe()
        close(pipe.read)
        defer { close(pipe.write) }
        var queue = OutputQueue()
        queue.append([1])
        #expect(queue.write(to: OutputDescriptor(pipe.write)) == EPIPE)
    }
}
