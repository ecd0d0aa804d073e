/// A value protected by a pthread mutex; the only kind of lock in this project.
///
/// `Synchronization.Mutex` would be the obvious choice, but on Linux the thread sanitizer does not see its futex and
/// reports false races. It knows pthread mutexes.
///
/// - Important: not recursive, and never held during a callback into other modules' code.
public final class Lock<State>: @unchecked Sendable {
    // The mutex needs an address that never changes, which a stored property does not guarantee.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // Sendable: the state is accessed only in `withLock`, between lock and unlock of the mutex. It has an allocation of
    // its own because the runtime would check each access to a stored property for the exclusivity that the mutex
    // already ensures.
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

    /// Runs `body` with exclusive access to the value.
    @inlinable @inline(__always)
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }
}
