import KMSPlatform

/// Runs work in order on a thread of its own, concurrently with its callers.
///
/// Signatures are verified here. That takes 30 to 300 µs for the keys that the service makes, and milliseconds for the
/// largest accepted keys. On the event loop it would delay every message and every transfer, and Swift's cooperative
/// pool is not meant for long work. One thread is enough, because a core verifies thousands of signatures per second.
/// It also leaves the other cores to the rest of the process, whatever a client sends.
///
/// The thread starts when there is work, and ends when there is none left: an idle process has only the loop's thread,
/// and nothing has to be stopped. Starting takes about 20 µs, which a busy worker does not pay.
final class SerialWorker: Sendable {
    private struct State: Sendable {
        var queue: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let name: String
    private let state = Lock(State())

    /// - Parameter name: the thread's name, at most 15 bytes.
    init(name: String) {
        self.name = name
    }

    /// Queues work. The queue has no limit of its own: it has one entry per call in flight, and those are limited.
    ///
    /// - Throws: `PlatformError` if the system refuses the thread; then the work never runs.
    func run(_ work: @escaping @Sendable () -> Void) throws(PlatformError) {
        try state.withLock { state throws(PlatformError) in
            // With the lock held, so that no work is queued for a thread that could not be started.
            if !state.isRunning { try Thread.start(name: name) { self.drain() } }
            state.isRunning = true
            state.queue.append(work)
        }
    }

    private func drain() {
        while true {
            let batch = state.withLock { state in
                let batch = state.queue
                state.queue = []
                state.isRunning = !batch.isEmpty
                return batch
            }
            guard !batch.isEmpty else { return }
            for work in batch { work() }
        }
    }
}
