import Platform

/// The thread on which all transfers run, as the executor of the actor that owns them.
///
///     any thread              the curl thread
///
///     enqueue(job) ──┐        ┌─▶ 1. run what is in the inbox, in order
///     submit(work) ──┼─▶ inbox│   2. turn(): perform, completions, timers ─▶ until when to sleep
///     stop()       ──┘    │   │   3. inbox empty? then poll: sockets, time, wake-up
///                         │   └──────────────────────────────────┘  ▲
///                         └─ only if it sleeps: MultiWaker.wake ────┘
///
/// The actor's jobs and the plain closures of `submit` share one inbox, so they run in the order in which they came.
/// An actor on this thread needs no locks, libcurl's callbacks may `assumeIsolated`, and a call that comes from a
/// plain thread needs no `Task`:
///
///     actor Engine {
///         nonisolated let thread: CurlThread
///         nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
///         …
///         nonisolated func start() throws { try thread.start { self.assumeIsolated { $0.turn() } } }
///     }
///
/// Waking costs a system call, so it is left out while the thread is busy or was woken already. Nothing is lost: the
/// thread declares its sleep under the inbox's lock after it found the inbox empty, and a wake-up that comes between
/// the declaration and `poll` makes `poll` return at once.
///
/// The thread lives as long as the process, or until `stop`. Jobs that are enqueued after a stop never run, so the
/// tasks that wait for them never go on.
final class CurlThread: SerialExecutor {
    /// What to do after a turn.
    enum TurnResult: Sendable, Equatable {
        /// Turn again as soon as something happens on a connection, in the inbox, or at this instant; nil: no instant.
        case sleep(until: Instant?)
        /// Turn again at once.
        case again
        /// End the thread.
        case stop
    }

    /// How long to wait after libcurl could not wait, so that a lasting error does not take a whole core.
    static let pauseAfterPollFailure = Duration.milliseconds(20)

    private enum Item {
        case job(UnownedJob)
        case work(@Sendable () -> Void)
        case stop
    }

    private struct Inbox {
        var items: [Item] = []
        /// The thread is in `poll`, or on the way there, and nobody has woken it yet.
        var isAsleep = false
        var isStopped = false
    }

    private let inbox = Lock(Inbox())
    private let waker: MultiWaker
    private let clock: any TimeSource
    /// `pthread_self()` of the running thread; 0 before its start and after its end.
    private let threadIdentity = Atomic<UInt>(0)

    /// - Parameters:
    ///   - waker: of the `CurlMulti` that `turn` will drive.
    ///   - clock: the one whose instants `turn` returns.
    init(waker: MultiWaker, clock: any TimeSource = SystemClock()) {
        self.waker = waker
        self.clock = clock
    }

    /// Starts the thread. Once only; what was enqueued before runs first.
    ///
    /// - Parameters:
    ///   - turn: one step of the transfers, called on the thread after every wake-up.
    ///   - pollFailed: told, on the thread, when libcurl could not wait.
    ///   - ended: called on the thread as the last thing that it does.
    /// - Throws: `PlatformError` when the system refuses another thread.
    func start(
        turn: @escaping @Sendable () -> TurnResult,
        pollFailed: @escaping @Sendable (TransportFailure) -> Void = { _ in },
        ended: @escaping @Sendable () -> Void = {}
    ) throws(PlatformError) {
        try Thread.start(name: "curl") {
            Self.blockSignals()
            self.threadIdentity.store(Self.identityOfThisThread, ordering: .relaxed)
            self.loop(turn, pollFailed)
            self.threadIdentity.store(0, ordering: .relaxed)
            ended()
        }
    }

    /// Runs a closure on the thread, without a `Task`. From any thread; in order with everything else in the inbox.
    func submit(_ work: @escaping @Sendable () -> Void) { add(.work(work)) }

    /// Ends the thread after what is in the inbox by now. From any thread; a second call does nothing.
    func stop() {
        add(.stop) { $0.isStopped = true }
    }

    // MARK: SerialExecutor

    func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    func checkIsolated() {
        precondition(isOnThread, "this must run on the curl thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isOnThread }

    private var isOnThread: Bool {
        // Relaxed: only the thread itself can find its own identity here, and it wrote it.
        threadIdentity.load(ordering: .relaxed) == Self.identityOfThisThread
    }

    private static var identityOfThisThread: UInt {
        #if canImport(Darwin)
        UInt(bitPattern: pthread_self())
        #else
        UInt(pthread_self())
        #endif
    }

    // MARK: The loop

    private func add(_ item: Item, _ also: (inout Inbox) -> Void = { _ in }) {
        let mustWake = inbox.withLock { inbox in
            guard !inbox.isStopped else { return false }
            inbox.items.append(item)
            also(&inbox)
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        if mustWake { waker.wake() }
    }

    private func loop(_ turn: () -> TurnResult, _ pollFailed: (TransportFailure) -> Void) {
        // Swapped with the inbox, so that neither gives its memory back.
        var items: [Item] = []
        while true {
            items.removeAll(keepingCapacity: true)
            inbox.withLock { swap(&$0.items, &items) }
            guard run(items) else { return }
            switch turn() {
            case .again: continue
            case .stop:
                inbox.withLock { $0.isStopped = true }
                return
            case .sleep(let instant):
                sleep(until: instant, pollFailed)
            }
        }
    }

    /// - Returns: false if the thread is to end.
    private func run(_ items: [Item]) -> Bool {
        for item in items {
            switch item {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .work(let work): work()
            case .stop: return false
            }
        }
        return true
    }

    private func sleep(until instant: Instant?, _ pollFailed: (TransportFailure) -> Void) {
        let mayWait = inbox.withLock { inbox in
            inbox.isAsleep = inbox.items.isEmpty
            return inbox.isAsleep
        }
        // `poll` is skipped, not called with no time: the turn after the inbox reads the connections anyway.
        guard mayWait else { return }
        do {
            try waker.poll(timeoutMilliseconds: instant.map { Self.milliseconds(from: clock.now, to: $0) })
        } catch {
            pollFailed(error)
            usleep(UInt32(Self.pauseAfterPollFailure.nanoseconds / 1_000))
        }
        inbox.withLock { $0.isAsleep = false }
    }

    /// Rounded up, so that the thread does not wake just before the instant and find nothing to do.
    static func milliseconds(from now: Instant, to instant: Instant) -> Int32 {
        instant > now ? Int32(clamping: (instant - now).millisecondsRoundedUp) : 0
    }

    /// Signals of the process are for other threads. SIGPIPE, which a write of OpenSSL's to a closed connection raises
    /// on the thread itself, is held back for good.
    private static func blockSignals() {
        var blocked = sigset_t()
        sigfillset(&blocked)
        // What a fault of our own raises must reach the crash handler.
        for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS] { sigdelset(&blocked, fault) }
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
    }
}
