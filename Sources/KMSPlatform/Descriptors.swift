import CKMSLinux

/// Descriptors of the process's own.
public enum Descriptors {
    /// A pipe whose ends are closed on exec.
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

    /// A copy of a descriptor at 3 or above, closed on exec; nil if the descriptor is not open.
    public static func privateCopy(of descriptor: CInt) -> CInt? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        return copy >= 0 ? copy : nil
    }

    /// Whether the process, or the system, may open no more of them at this moment.
    package static var areExhausted: Bool {
        let probe = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard probe < 0 else {
            close(probe)
            return false
        }
        return errno == EMFILE || errno == ENFILE
    }
}

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

#if !os(Linux)
/// `pipe(2)`, which the method of the same name hides.
private func systemPipe(_ ends: UnsafeMutablePointer<CInt>) -> CInt {
    pipe(ends)
}
#endif

/// The descriptors that the host gave us, taken out of the reach of stray prints.
package struct StandardStreams: Sendable {
    /// Private copies of descriptors 0 and 1, at 3 or above and closed on exec.
    package let input: CInt
    package let output: CInt

    /// Takes copies of 0 and 1, and points 0 at the null device and 1 at stderr.
    ///
    /// - Returns: nil if stdout was closed at the start, so that nobody could read an answer.
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

    /// Points descriptors of 0 to 2 that were closed at the null device, so that no file or socket that is opened later
    /// lands on them. To be called before anything else opens one; later calls do nothing but return the same.
    ///
    /// A program that this process starts finds them closed, as it would without this process. Writing to stdout still
    /// fails with `EBADF`.
    ///
    /// - Returns: those that were closed when the process started.
    @discardableResult
    package static func fillGaps() throws(PlatformError) -> Set<CInt> { try gaps.get() }

    private static let gaps = Result { () throws(PlatformError) in
        var closed: Set<CInt> = []
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // An answer or a secret that went to the null device would look as if somebody had got it.
            let mode = descriptor == STDOUT_FILENO ? O_RDONLY : O_RDWR
            // The lowest free number is this one, as those below are open.
            guard open("/dev/null", mode | O_CLOEXEC) == descriptor else { throw PlatformError("open /dev/null") }
            closed.insert(descriptor)
        }
        return closed
    }
}
