import Testing

@testable import KMSPlatform

@Suite(.timeLimit(.minutes(1))) struct FileContentsTests {
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
}
