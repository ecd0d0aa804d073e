/// Wakes a thread that sleeps in `poll`, from any thread: a pipe to oneself.
public final class Waker: Sendable {
    /// Readable after `wake`, until `reset`.
    public let descriptor: CInt
    private let writeEnd: CInt

    public init() throws(PlatformError) {
        (descriptor, writeEnd) = try Descriptors.pipe(isNonBlocking: true)
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    public func wake() {
        var byte: UInt8 = 0
        // A full pipe is as readable as can be, so nothing is lost when this fails.
        _ = write(writeEnd, &byte, 1)
    }

    public func reset() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(descriptor, &bytes, MemoryLayout.size(ofValue: bytes)) > 0 {}
    }
}
