import KMSPlatform
import Testing

@Suite struct WakerTests {
    private func isReadable(_ descriptor: CInt) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 1
    }

    @Test func `it is readable from a wake to the reset`() throws {
        let waker = try Waker()
        #expect(!isReadable(waker.descriptor))
        waker.wake()
        waker.wake()
        #expect(isReadable(waker.descriptor))
        waker.reset()
        #expect(!isReadable(waker.descriptor))
        waker.reset()
        waker.wake()
        #expect(isReadable(waker.descriptor))
    }

    @Test func `any number of wakes neither waits nor is lost`() throws {
        let waker = try Waker()
        for _ in 0..<100_000 { waker.wake() }
        #expect(isReadable(waker.descriptor))
        waker.reset()
        #expect(!isReadable(waker.descriptor))
    }
}
