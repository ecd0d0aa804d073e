import KMSPlatform
import Testing

#if os(Linux)
@Suite struct ThreadTests {
    @Test func `a thread runs its body under its name`() async throws {
        let name: String = try await withCheckedThrowingContinuation { continuation in
            do {
                try Thread.start(name: "a-thread-with-a-long-name") {
                    continuation.resume(with: Result { try nameOfThisThread() })
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        #expect(name == "a-thread-with-a")
    }
}

/// What the kernel calls it, without the newline that ends the file.
private func nameOfThisThread() throws -> String {
    let descriptor = open("/proc/thread-self/comm", O_RDONLY)
    guard descriptor >= 0 else { throw PlatformError("open") }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { throw PlatformError("read") }
    return String(decoding: buffer[..<(count - 1)], as: UTF8.self)
}
#endif
