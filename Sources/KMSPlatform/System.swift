// The C library, and what the standard library keeps in modules of its own, for all modules that import `KMSPlatform`.
//
// The terms of this module:
// - descriptor: a file descriptor (an `Int32`); a private copy is numbered 3 or above and close-on-exec
// - loop: an `EventLoop`; a source is a participant of one; a watch is a descriptor that a source has the loop poll
// - turn: one pass of a loop: inbox, sources, `poll`, events
// - urgent descriptor: one that a busy loop polls between the steps of a turn
// - waker: a pipe that ends a loop's `poll` from another thread
// - instant: a point on the monotonic clock, in nanoseconds; wall clock: milliseconds since 1970, which may jump
// - slot: a reusable place in a `SlotMap`; its id also says which user of the slot is meant
// - stamp: the identity of a file's state, to see whether it changed
#if canImport(Glibc)
@_exported import Glibc
#elseif canImport(Musl)
@_exported import Musl
#elseif canImport(Darwin)
@_exported import Darwin
#endif

// For `Atomic`. Locks are `Lock`; its documentation says why.
@_exported import Synchronization

/// A failed system call: its name and `errno`.
public struct PlatformError: Error, Equatable, CustomStringConvertible {
    /// The name of the call, for messages.
    public let call: String
    /// The value of `errno`.
    public let errorNumber: Int32

    public init(_ call: String, errorNumber: Int32 = errno) {
        self.call = call
        self.errorNumber = errorNumber
    }

    public var description: String { "\(call): \(Self.text(of: errorNumber))" }

    /// The system's text for an error number, from `strerror`.
    public static func text(of errorNumber: Int32) -> String {
        guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
        return String(cString: text)
    }
}
