/// A value behind a pthread mutex; the only lock of this project.
///
/// `Synchronization.Mutex` would do, but the thread sanitizer does not see its futex on Linux and reports races where
/// there are none. A pthread mutex is known to it.
///
/// - Important: not recursive, and never held across a callback into code of somebody else.
public final class Lock<State>: @unchecked Sendable {
    // The mutex needs an address that never changes, which a stored property does not promise.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // Sendable: the state is reached only in `withLock`, between lock and unlock of the mutex. It has an address of its
    // own, as the runtime would check each access to a stored property for what the mutex ensures.
    @usableFromInline let state: UnsafeMutablePointer<State>

    @inlinable public init(_ state: sending State) {
        self.state = .allocate(capacity: 1)
        self.state.initialize(to: state)
        mutex = .allocate(capacity: 1)
        let status = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "pthread_mutex_init: \(status)")
    }

    @inlinable deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Runs `body` while no other thread runs one on the same lock.
    @inlinable @inline(__always)
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }
}
