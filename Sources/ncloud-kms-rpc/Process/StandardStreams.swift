import Platform

/// The descriptors that the host gave us, taken out of the reach of stray prints.
struct StandardStreams {
    /// Private copies of descriptors 0 and 1, at 3 or above and closed on exec.
    let input: CInt
    let output: CInt

    /// Takes copies of 0 and 1, and points 0 at the null device and 1 at stderr.
    ///
    /// - Returns: nil if stdout was closed, so that nobody could read an answer.
    static func takeOver() throws(PlatformError) -> StandardStreams? {
        guard try fillGaps() else { return nil }
        guard let input = Descriptors.privateCopy(of: 0), let output = Descriptors.privateCopy(of: 1) else {
            throw PlatformError("fcntl F_DUPFD_CLOEXEC")
        }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard null >= 0 else { throw PlatformError("open /dev/null") }
        defer { close(null) }
        guard dup2(null, 0) == 0, dup2(2, 1) == 1 else { throw PlatformError("dup2") }
        return StandardStreams(input: input, output: output)
    }

    /// Points descriptors of 0 to 2 that were closed at the null device, so that nothing else that is opened can land on
    /// them.
    ///
    /// - Returns: whether stdout was open.
    static func fillGaps() throws(PlatformError) -> Bool {
        var wasOpen: [Bool] = []
        for descriptor in CInt(0)...2 {
            wasOpen.append(fcntl(descriptor, F_GETFD) >= 0)
            // The lowest free number is this one, as those below are open.
            if !wasOpen[Int(descriptor)], open("/dev/null", O_RDWR) < 0 { throw PlatformError("open /dev/null") }
        }
        return wasOpen[1]
    }
}
