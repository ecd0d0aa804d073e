import Testing

@testable import KMSPlatform

@Suite(.timeLimit(.minutes(5))) struct FileContentsTests {
    @Test func `a non-blocking pipe, empty or full, is waited for`() async throws {
        let (input, output) = try Descriptors.pipe(isNonBlocking: true)
        defer { close(input) }
        // More than any pipe holds, so that the writer meets a full one and the reader empty ones.
        let sent = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let (outcomes, outcome) = AsyncStream<PlatformError?>.makeStream()
        try Thread.start(name: "writer") {
            defer { close(output) }
            do throws(PlatformError) {
                try FileContents.append(sent, to: output)
                outcome.yield(nil)
            } catch {
                outcome.yield(error)
            }
        }
        var received: [UInt8] = []
        try FileContents.read(descriptor: input) { received += $0 }
        var iterator = outcomes.makeAsyncIterator()
        let failure = try #require(await iterator.next())
        #expect(failure == nil)
        #expect(received == sent)
    }

    @Test func `reading ends when its time is over, whether or not there is more to read`() throws {
        let (input, output) = try Descriptors.pipe()
        defer { close(input) }
        defer { close(output) }
        let now = SystemClock().now
        #expect(throws: PlatformError("read", errorNumber: ETIMEDOUT)) {
            try FileContents.read(descriptor: input, until: now + .milliseconds(1)) { _ in }
        }
        try FileContents.append([1, 2, 3], to: output)
        #expect(throws: PlatformError("read", errorNumber: ETIMEDOUT)) {
            try FileContents.read(descriptor: input, until: now) { _ in }
        }
        var received: [UInt8] = []
        #expect(throws: PlatformError("read", errorNumber: ETIMEDOUT)) {
            try FileContents.read(descriptor: input, until: SystemClock().now + .milliseconds(200)) { received += $0 }
        }
        #expect(received == [1, 2, 3])
    }
}
