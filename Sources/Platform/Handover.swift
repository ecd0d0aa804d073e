/// A value that one thread waits for and another one brings, once. For threads that may block.
package final class Handover<Value: Sendable>: Sendable {
    private let value = Lock<Value?>(nil)
    private let waker: Waker

    /// - Throws: `PlatformError` when the system has no descriptors left.
    package init() throws(PlatformError) {
        waker = try Waker()
    }

    package func bring(_ value: Value) {
        self.value.withLock { $0 = value }
        waker.wake()
    }

    package func wait() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            var entry = pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)
            // An interruption, or a failure of `poll`, is only another look.
            poll(&entry, 1, -1)
        }
    }
}
