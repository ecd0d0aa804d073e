import KMSPlatform

/// Runs work in order on a thread of its own, beside whoever hands it over.
///
/// Signatures are verified here. That takes 30 to 300 µs for the keys that the service makes, and milliseconds for the
/// largest that are accepted. On the event loop it would hold up every message and every transfer, and Swift's
/// cooperative pool is not for long work. One thread is enough, as a core verifies thousands of signatures a second; and
/// it leaves the other cores to the rest of the process, whatever a client sends.
///
/// The thread is started when there is work, and ends when there is none left: an idle process has the loop's thread
/// alone, and nothing has to be stopped. Its start takes some 20 µs, and a busy worker does not pay it.
final class SerialWorker: Sendable {
    private struct State: Sendable {
        var queue: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let name: String
    private let state = Lock(State())

    /// - Parameter name: of the thread, at most 15 bytes.
    init(name: String) {
        self.name = name
    }

    /// Queues work. The queue has no limit of its own: there is one entry for a call in flight, and those are limited.
    ///
    /// - Throws: `PlatformError` when the system refuses the thread; then the work never runs.
    func run(_ work: @escaping @Sendable () -> Void) throws(PlatformError) {
        try state.withLock { state throws(PlatformError) in
            // Under the lock, so that nobody queues for a thread that then does not come.
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
