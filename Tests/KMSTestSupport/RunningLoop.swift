import KMSPlatform

/// An event loop on a thread of its own, until this is freed.
package final class RunningLoop: Sendable {
    package let loop: EventLoop

    package init() throws(PlatformError) {
        loop = try EventLoop()
        try loop.start(name: "test-loop")
    }

    deinit { loop.submit { [loop] in loop.stop() } }
}
