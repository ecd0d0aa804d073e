import Platform

/// A command that runs inside the emulator and does not notice.
struct WrappedCommand {
    /// C strings, so that a file name that is not UTF-8 reaches the command as it is.
    private let arguments: [UnsafeMutablePointer<CChar>]
    private let environment: CommandEnvironment
    private let signals: SignalQueue

    /// - Parameter arguments: the command, looked up in `PATH`, and its arguments; not empty. They must live until `run`
    ///   has returned.
    init(_ arguments: [UnsafeMutablePointer<CChar>], environment: CommandEnvironment, signals: SignalQueue) {
        self.arguments = arguments
        self.environment = environment
        self.signals = signals
    }

    /// Runs it to its end and returns the status to exit with: its own, 128 + the signal that ended it, or 126 or 127
    /// when it could not be started.
    func run() throws(PlatformError) -> Int32 {
        var child: pid_t = 0
        let failure = spawn(&child)
        guard failure == 0 else {
            let name = String(cString: arguments[0])
            StandardError.write("ncloud-kms-emulator: \(name): \(PlatformError.text(of: failure))\n")
            return failure == ENOENT ? OwnExitStatus.notFound : OwnExitStatus.cannotRun
        }
        while true {
            let delivery = signals.next()
            if delivery.signal == SIGCHLD {
                if let status = try exitStatus(of: child) { return status }
            } else if !delivery.isFromTerminal {
                // Until `waitpid` has told its end, the process id can't belong to anybody else.
                kill(child, delivery.signal)
            }
        }
    }

    private func spawn(_ child: inout pid_t) -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = signals.originalMask
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let additions = environment.additions.map { strdup($0) }
        defer { additions.forEach { free($0) } }
        let argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments + [nil]
        let environmentPointers = inheritedEntries + additions + [nil]
        return posix_spawnp(&child, arguments[0], nil, &attributes, argumentPointers, environmentPointers)
    }

    /// Entries of the process's own environment, as they are, whatever bytes they hold.
    private var inheritedEntries: [UnsafeMutablePointer<CChar>?] {
        var kept: [UnsafeMutablePointer<CChar>?] = []
        var position = environ
        while let entry = position.pointee {
            if environment.inherits(String(String(cString: entry).prefix { $0 != "=" })) { kept.append(entry) }
            position += 1
        }
        return kept
    }

    /// Nil while the process lives.
    private func exitStatus(of child: pid_t) throws(PlatformError) -> Int32? {
        var status: Int32 = 0
        let ended = waitpid(child, &status, WNOHANG)
        guard ended >= 0 else { throw PlatformError("waitpid") }
        guard ended == child else { return nil }
        // The macros WIFEXITED, WEXITSTATUS and WTERMSIG do not import.
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}
