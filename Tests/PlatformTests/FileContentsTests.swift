import Testing

@testable import Platform

@Suite(.timeLimit(.minutes(1))) struct FileContentsTests {
    @Test func `a non-blocking pipe, empty or full, is waited for`() throws {
        let (input, output) = try Descriptors.pipe(isNonBlocking: true)
        defer { close(input) }
        // More than any pipe holds, so that the writer meets a full one and the reader empty ones.
        let sent = (0..<4_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let outcome = try Handover<PlatformError?>()
        try Thread.start(name: "writer") {
            defer { close(output) }
            do throws(PlatformError) {
                try FileContents.append(sent, to: output)
                outcome.bring(nil)
            } catch {
                outcome.bring(error)
            }
        }
        var received: [UInt8] = []
        try FileContents.read(descriptor: input) { received += $0 }
        #expect(outcome.wait() == nil)
        #expect(received == sent)
    }
}
