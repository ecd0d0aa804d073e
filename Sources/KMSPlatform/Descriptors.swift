import CKMSLinux

/// Operations on file descriptors of this process.
public enum Descriptors {
    /// A pipe; both ends are close-on-exec.
    public static func pipe(isNonBlocking: Bool = false) throws(PlatformError) -> (read: CInt, write: CInt) {
        var ends: [CInt] = [-1, -1]
        #if os(Linux)
        guard clinux_pipe2(&ends, O_CLOEXEC | (isNonBlocking ? O_NONBLOCK : 0)) == 0 else {
            throw PlatformError("pipe2")
        }
        #else
        guard systemPipe(&ends) == 0 else { throw PlatformError("pipe") }
        for end in ends {
            if isNonBlocking { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        #endif
        return (ends[0], ends[1])
    }

    /// A socket for a stream; it is close-on-exec.
    ///
    /// - Parameters:
    ///   - family: `AF_…`.
    ///   - call: for the message of an error.
    package static func streamSocket(_ family: CInt, call: String = "socket") throws(PlatformError) -> CInt {
        #if os(Linux)
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        #else
        let descriptor = socket(family, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw PlatformError(call) }
        #if !os(Linux)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        #endif
        return descriptor
    }

    /// A copy of a descriptor, numbered 3 or above and close-on-exec; nil if the descriptor is not open.
    public static func privateCopy(of descriptor: CInt) -> CInt? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        return copy >= 0 ? copy : nil
    }

    /// Whether the process, or the whole system, can't open more descriptors right now.
    package static var areExhausted: Bool {
        let probe = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard probe < 0 else {
            close(probe)
            return false
        }
        return errno == EMFILE || errno == ENFILE
    }

    /// Why the process can't make a Unix socket right now: it has no descriptors left, or a filter forbids it. Nil if it can.
    package static var unixSocketProblem: PlatformError? {
        do throws(PlatformError) {
            close(try streamSocket(AF_UNIX))
            return nil
        } catch {
            return error
        }
    }
}

/// Wakes a thread that sleeps in `poll`, from any thread: a pipe to itself.
public final class Waker: Sendable {
    /// Readable from `wake` until `reset`.
    public let descriptor: CInt
    private let writeEnd: CInt

    public init() throws(PlatformError) {
        (descriptor, writeEnd) = try Descriptors.pipe(isNonBlocking: true)
    }

    deinit {
        close(descriptor)
        close(writeEnd)
    }

    /// Makes `descriptor` readable. From any thread.
    public func wake() {
        var byte: UInt8 = 0
        // If the pipe is full, the write fails, but the descriptor is readable already.
        _ = write(writeEnd, &byte, 1)
    }

    /// Makes `descriptor` unreadable until the next `wake`.
    public func reset() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while read(descriptor, &bytes, MemoryLayout.size(ofValue: bytes)) > 0 {}
    }
}

#if !os(Linux)
/// `pipe(2)`, which the method of the same name hides.
private func systemPipe(_ ends: UnsafeMutablePointer<CInt>) -> CInt {
    pipe(ends)
}
#endif

/// The host's stdin and stdout, protected from stray prints.
package struct StandardStreams: Sendable {
    /// Private copies of descriptors 0 and 1, numbered 3 or above and close-on-exec.
    package let input: CInt
    package let output: CInt

    /// Copies descriptors 0 and 1, then points 0 at the null device and 1 at stderr.
    ///
    /// - Returns: nil if stdout was closed when the process started, so that nobody could read an answer.
    /// - Throws: `PlatformError` if the system has no descriptors left or there is no `/dev/null`.
    package static func takeOver() throws(PlatformError) -> StandardStreams? {
        guard try !fillGaps().contains(STDOUT_FILENO) else { return nil }
        guard let input = Descriptors.privateCopy(of: 0), let output = Descriptors.privateCopy(of: 1) else {
            throw PlatformError("fcntl F_DUPFD_CLOEXEC")
        }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null >= 0 else { throw PlatformError("open /dev/null") }
        defer { close(null) }
        guard dup2(null, 0) == 0, dup2(2, 1) == 1 else { throw PlatformError("dup2") }
        return StandardStreams(input: input, output: output)
    }

    /// Opens the null device on those of the descriptors 0 to 2 that are closed, so that no file or socket that is
    /// opened later gets their numbers. Call it before anything else opens a descriptor; later calls only return the
    /// same set.
    ///
    /// A program that this process starts still finds them closed. Writing to stdout still fails with `EBADF`.
    ///
    /// - Returns: the descriptors that were closed when the process started.
    @discardableResult
    package static func fillGaps() throws(PlatformError) -> Set<CInt> { try gaps.get() }

    private static let gaps = Result { () throws(PlatformError) in
        var closed: Set<CInt> = []
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // An answer or a secret that went to the null device would look as if it had been delivered.
            let mode = descriptor == STDOUT_FILENO ? O_RDONLY : O_RDWR
            // `open` returns the lowest free number: this one, because those below are open.
            guard open("/dev/null", mode | O_CLOEXEC) == descriptor else { throw PlatformError("open /dev/null") }
            closed.insert(descriptor)
        }
        return closed
    }
}
