import Synchronization

/// Puts SIGINT, SIGTERM and SIGHUP off while something short goes on that must not stop halfway, and then has them do
/// what they would have done.
///
/// By handlers, which hold for the whole process: a mask would hold for one thread, and the system gives the signal to
/// another one.
package enum DeferredTermination {
    package static func during<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        begin()
        defer { end() }
        return try body()
    }

    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    private struct State {
        /// Threads that are inside.
        var depth = 0
        var actions: [sigaction] = []
    }

    private static let state = Lock(State())

    private static func begin() {
        state.withLock { state in
            state.depth += 1
            guard state.depth == 1 else { return }
            // Initialized by now: the handler must not find it half made.
            deferredSignal.store(0, ordering: .relaxed)
            var action = sigaction(handler: deferringHandler)
            // Nothing inside is to fail because of a signal.
            action.sa_flags = CInt(SA_RESTART)
            state.actions = signals.map { number in
                var previous = sigaction()
                sigaction(number, &action, &previous)
                return previous
            }
        }
    }

    private static func end() {
        let signal: CInt = state.withLock { state in
            state.depth -= 1
            guard state.depth == 0 else { return 0 }
            for (number, action) in zip(signals, state.actions) {
                var action = action
                sigaction(number, &action, nil)
            }
            return deferredSignal.load(ordering: .relaxed)
        }
        if signal != 0 { raise(signal) }
    }
}

private let deferredSignal = Atomic<CInt>(0)

/// Async-signal-safe.
private nonisolated func deferringHandler(_ number: CInt) {
    deferredSignal.store(number, ordering: .relaxed)
}
