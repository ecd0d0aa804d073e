import KMSPlatform

/// What one of a program's standard descriptors is connected to: the program's end and ours.
package struct Channel: Sendable {
    /// Closed in this process as soon as the program has it.
    package let program: CInt
    /// -1 if there is nothing to talk to, as with a file.
    package let ours: CInt

    package init(program: CInt, ours: CInt = -1) {
        self.program = program
        self.ours = ours
    }

    /// A pipe that the program reads.
    package static func pipeToProgram() throws -> Channel {
        let ends = try Descriptors.pipe()
        return Channel(program: ends.read, ours: ends.write)
    }

    /// A pipe that the program writes.
    package static func pipeFromProgram() throws -> Channel {
        let ends = try Descriptors.pipe()
        return Channel(program: ends.write, ours: ends.read)
    }

    /// A pair of connected sockets; both directions work.
    package static func socket() throws -> Channel {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw PlatformError("socketpair")
        }
        return Channel(program: ends[0], ours: ends[1])
    }

    /// A pseudo-terminal that does not echo; ours is the side where a person would sit.
    package static func terminal() throws -> Channel {
        var (master, terminal): (CInt, CInt) = (-1, -1)
        guard openpty(&master, &terminal, nil, nil, nil) == 0 else { throw PlatformError("openpty") }
        for end in [master, terminal] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var attributes = termios()
        tcgetattr(terminal, &attributes)
        attributes.c_lflag &= ~tcflag_t(ECHO)
        attributes.c_oflag &= ~tcflag_t(OPOST)
        tcsetattr(terminal, TCSANOW, &attributes)
        return Channel(program: terminal, ours: master)
    }

    /// - Parameter flags: those of `open(2)`; a new file is private.
    package static func file(_ path: String, _ flags: CInt) throws -> Channel {
        let descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PlatformError("open \(path)") }
        return Channel(program: descriptor)
    }

    /// Copies of both ends, for a program that gets them as another of its descriptors, too.
    package func copied() throws -> Channel {
        guard let program = Descriptors.privateCopy(of: program), let ours = Descriptors.privateCopy(of: ours) else {
            throw PlatformError("fcntl F_DUPFD_CLOEXEC")
        }
        return Channel(program: program, ours: ours)
    }
}
