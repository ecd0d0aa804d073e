import Platform

/// The signals that the emulator takes one by one, on its main thread, instead of being interrupted by them.
///
/// The stop signals of a terminal (SIGTSTP and its kin) are left alone: they reach the command as well, and stop both.
struct SignalQueue {
    static let terminating = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]
    private static let others = [SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM]

    /// What was blocked before, and is for the command.
    let originalMask: sigset_t
    private let awaited: sigset_t

    /// Blocks the signals for the calling thread, and for all threads that it starts later.
    init() {
        var awaited = sigset_t()
        sigemptyset(&awaited)
        // A blocked signal is never ignored, and `nohup` asks that SIGHUP is.
        for signal in Self.terminating + Self.others + [SIGCHLD] where !TerminationSignals.staysIgnored(signal) {
            sigaddset(&awaited, signal)
        }
        // A reader of our output that went away is an error of `write`, so that everything is cleaned up.
        var blocked = awaited
        sigaddset(&blocked, SIGPIPE)
        var original = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &original)
        // An inherited "ignore" would make the kernel forget children before anybody could ask for their status.
        signal(SIGCHLD, SIG_DFL)
        self.awaited = awaited
        originalMask = original
    }

    struct Delivery {
        let signal: Int32
        /// It came from the terminal's driver (Ctrl-C), which sends it to the command as well.
        let isFromTerminal: Bool
    }

    func next() -> Delivery {
        var awaited = awaited
        var info = siginfo_t()
        while true {
            let signal = sigwaitinfo(&awaited, &info)
            if signal > 0 { return Delivery(signal: signal, isFromTerminal: info.si_code == Self.fromKernel) }
        }
    }

    func waitForTermination() {
        while !Self.terminating.contains(next().signal) {}
    }

    /// `SI_KERNEL`.
    private static let fromKernel: Int32 = 0x80
}
