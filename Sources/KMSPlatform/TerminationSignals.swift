import Synchronization

/// SIGTERM, SIGINT and SIGHUP as a descriptor that becomes readable, and then says which signal came first.
///
/// The first signal asks for an orderly shutdown. The second ends the process at once, with status 128 + its number,
/// whatever its threads are doing.
public enum TerminationSignals {
    /// Installs handlers for the whole process, and ignores SIGPIPE. SIGHUP and SIGINT stay ignored if they are: this
    /// is how `nohup`, and a shell for background jobs, ask that the process outlive them.
    ///
    /// - Returns: the descriptor, readable from the first signal on.
    /// - Throws: `PlatformError` if the system has no descriptors left.
    public static func install() throws(PlatformError) -> CInt {
        let (readEnd, writeEnd) = try Descriptors.pipe(isNonBlocking: true)
        terminationPipe = writeEnd
        // Initializes it now: the handler must not find it half initialized.
        signalCount.store(0, ordering: .relaxed)
        signal(SIGPIPE, SIG_IGN)
        var action = sigaction(handler: terminationHandler)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&action.sa_mask, number) }
        // No SA_RESTART, so that a blocking system call returns.
        for number in [SIGTERM, SIGINT, SIGHUP] where !staysIgnored(number) {
            sigaction(number, &action, nil)
        }
        // A host that blocks these signals passes its mask on to us; it does not ask us to ignore them.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        return readEnd
    }

    /// The name of the first signal that arrived; nil if there was none.
    ///
    /// - Parameter descriptor: the one that `install` returned.
    public static func firstName(from descriptor: CInt) -> String? {
        var number: UInt8 = 0
        guard read(descriptor, &number, 1) == 1 else { return nil }
        return [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGHUP: "SIGHUP"][CInt(number)]
    }

    /// Whether a signal is ignored and should stay so: SIGHUP and SIGINT only.
    public static func staysIgnored(_ number: CInt) -> Bool {
        guard number == SIGHUP || number == SIGINT else { return false }
        var action = sigaction()
        sigaction(number, nil, &action)
        #if canImport(Darwin)
        let handler = action.__sigaction_u.__sa_handler
        #else
        let handler = action.__sigaction_handler.sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

extension sigaction {
    /// The handler's member has a different name on each system.
    init(handler: @convention(c) (CInt) -> Void) {
        self.init()
        #if canImport(Darwin)
        __sigaction_u.__sa_handler = handler
        #else
        __sigaction_handler.sa_handler = handler
        #endif
    }
}

// Written once, before the handler can run, and then only read.
private nonisolated(unsafe) var terminationPipe: CInt = -1
private let signalCount = Atomic(0)

/// Async-signal-safe: it only counts the signal and writes its number as a byte, or exits. It may run on two threads at
/// once.
private nonisolated func terminationHandler(_ number: CInt) {
    if signalCount.add(1, ordering: .relaxed).newValue > 1 { _exit(128 + number) }
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(terminationPipe, &byte, 1)
    errno = saved
}

/// Delays SIGINT, SIGTERM and SIGHUP during a short operation that must not stop halfway, then lets them take their
/// usual effect.
///
/// It uses handlers, which apply to the whole process: a signal mask applies to one thread, and the system would
/// deliver the signal to another.
package enum DeferredTermination {
    /// Runs `body`; a signal that arrives meanwhile takes effect after it.
    package static func during<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        begin()
        defer { end() }
        return try body()
    }

    private static let signals = [SIGINT, SIGTERM, SIGHUP]

    private struct State {
        /// The number of threads inside `during`.
        var depth = 0
        var actions: [sigaction] = []
    }

    private static let state = Lock(State())

    private static func begin() {
        state.withLock { state in
            state.depth += 1
            guard state.depth == 1 else { return }
            // Initializes it now: the handler must not find it half initialized.
            deferredSignal.store(0, ordering: .relaxed)
            var action = sigaction(handler: deferringHandler)
            // SA_RESTART: no system call inside may fail because of a signal.
            action.sa_flags = CInt(SA_RESTART)
            state.actions = signals.map { number in
                var previous = sigaction()
                sigaction(number, &action, &previous)
                return previous
            }
        }
    }

    private static func end() {
        let signal: CInt = state.withLock { state in
            state.depth -= 1
            guard state.depth == 0 else { return 0 }
            for (number, action) in zip(signals, state.actions) {
                var action = action
                sigaction(number, &action, nil)
            }
            return deferredSignal.load(ordering: .relaxed)
        }
        if signal != 0 { raise(signal) }
    }
}

private let deferredSignal = Atomic<CInt>(0)

/// Async-signal-safe.
private nonisolated func deferringHandler(_ number: CInt) {
    deferredSignal.store(number, ordering: .relaxed)
}
