/// A value behind a pthread mutex; the only lock of this project.
///
/// `Synchronization.Mutex` would do, but the thread sanitizer does not see its futex on Linux and reports races where
/// there are none. A pthread mutex is known to it.
///
/// - Important: not recursive, and never held across a callback into code of somebody else.
public final class Lock<State>: @unchecked Sendable {
    // The mutex needs an address that never changes, which a stored property does not promise. It comes first, or a
    // state of no size would share its address, and the thread sanitizer would see a race there.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // Sendable: `state` is reached only in `withLock`, between lock and unlock of the mutex.
    private var state: State

    public init(_ state: sending State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        let status = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "pthread_mutex_init: \(status)")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` while no other thread runs one on the same lock.
    @inline(__always)
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
