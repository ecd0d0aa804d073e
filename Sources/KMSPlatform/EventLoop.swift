import CKMSLinux
import Synchronization

/// A participant of an `EventLoop`. The loop calls it only on its own thread.
public protocol EventSource: AnyObject {
    /// Does what can be done now. Called at least once in every turn of the loop, after descriptor events and the work
    /// of other threads have been delivered.
    ///
    /// - Returns: how long the loop may wait before it must run this source again even if nothing happens; nil for no
    ///   limit.
    func run() -> Duration?

    /// Whether the loop may run it late after the machine was suspended, because nobody waits for it. False by default.
    var mayRunLate: Bool { get }

    /// A watched descriptor has one of the requested events, or was hung up.
    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events)
}

extension EventSource {
    public var mayRunLate: Bool { false }
}

/// An event loop on one thread: it waits for descriptors, deadlines and other threads, and runs its sources.
///
/// ```
///              ┌────────────────────── a turn ───────────────────────┐
///  other       │                                                     │
///  threads ─▶ inbox ─▶ every source: run ─▶ poll ─▶ the descriptors: ready, until the turn's time is used up
/// ```
///
/// The loop is also the executor of its actors: their jobs and the closures of `submit` share the inbox and run in the
/// order in which they arrived. Nothing on the loop may block, because everything else on it would wait.
///
/// Every turn polls the descriptors, however much other threads submit, and every turn is bounded. Under load, the loop
/// polls the urgent descriptors between the steps of a turn, as often as `UrgentPace` says, and handles their events
/// first.
public final class EventLoop: SerialExecutor, @unchecked Sendable {
    // Sendable: any thread may use `inbox`, `state`, `thread` and the waker. All other state belongs to the loop's
    // thread. Every public method that touches it asserts that it is on it.

    private struct Runner {
        let source: any EventSource
        /// Whether it is the source of the urgent descriptors, which need not be polled before it runs.
        let isFirst: Bool
        /// Whether it has to run before the loop waits.
        var isDue = true
        /// How long the loop may wait before it runs it again.
        var wait: Duration?
    }

    /// The time that a turn may spend on descriptors that are not urgent.
    private static let turnTime = Duration.microseconds(500)
    /// How often a source may run before the descriptors are polled.
    private static let maximumRounds = 8
    /// While somebody waits for a deadline, the loop reads the clock at least this often. `poll` does not count the time
    /// that the machine is suspended, but the clock does: this is how late a deadline can be noticed after it resumes.
    private static let longestWait = Duration.seconds(1)
    /// The pause after a failure of `poll`, so that a lasting error does not occupy a whole core.
    private static let pauseAfterFailure = Duration.milliseconds(20)

    private enum Item {
        case job(UnownedJob)
        case work(@Sendable () -> Void)
    }

    /// Whether there is work in the inbox, and whether the thread has to be woken for it.
    private enum State: UInt8, AtomicRepresentable {
        case awake
        /// In `poll`, or about to call it.
        case asleep
        case hasWork
    }

    private let inbox = Lock<[Item]>([])
    private let state = Atomic(State.awake)
    private let waker: Waker
    /// The identity of the loop's thread; 0 after `start` until the new thread runs.
    private let thread: Atomic<UInt>

    private let clock = SystemClock()
    private var runners: [Runner] = []
    private var watches: WatchTable
    private var urgentPace = UrgentPace()
    private var isStopped = false

    /// A loop that belongs to the calling thread until another thread runs it.
    ///
    /// - Throws: `PlatformError` if the system has no descriptors left.
    public init() throws(PlatformError) {
        waker = try Waker()
        thread = Atomic(identityOfThisThread())
        watches = WatchTable(waker: waker.descriptor)
    }

    // MARK: Running

    /// Runs on the calling thread, which becomes the loop's thread, until `stop`.
    ///
    /// - Parameter begin: runs first.
    public func run(_ begin: () -> Void = {}) {
        thread.store(identityOfThisThread(), ordering: .relaxed)
        isStopped = false
        begin()
        // Swapped with the inbox, so that both keep their capacity.
        var items: [Item] = []
        while !isStopped {
            runInbox(&items)
            let wait = runSources()
            guard !isStopped else { break }
            poll(wait)
        }
    }

    /// Runs on a new thread until `stop`. Call it once; work that was submitted before runs first.
    ///
    /// - Parameter name: the thread's name; at most 15 bytes on Linux, cut if longer.
    /// - Throws: `PlatformError` if the system refuses another thread. The loop then still belongs to the calling
    ///   thread.
    public func start(name: String) throws(PlatformError) {
        assertIsCurrent()
        thread.store(0, ordering: .relaxed)
        do throws(PlatformError) {
            try Thread.start(name: name) {
                Thread.blockSignals()
                self.run()
            }
        } catch {
            thread.store(identityOfThisThread(), ordering: .relaxed)
            throw error
        }
    }

    /// Ends `run` after the current step. On the loop.
    public func stop() {
        assertIsCurrent()
        isStopped = true
    }

    // MARK: Sources

    /// Adds a source, which the loop runs from now on. On the loop.
    ///
    /// - Parameter isFirst: whether it runs before the other sources, because it gives them work: for the source of the
    ///   urgent descriptors.
    public func add(_ source: some EventSource, isFirst: Bool = false) {
        assertIsCurrent()
        runners.insert(Runner(source: source, isFirst: isFirst), at: isFirst ? 0 : runners.count)
    }

    /// Removes a source and all of its watches. On the loop.
    public func remove(_ source: some EventSource) {
        assertIsCurrent()
        runners.removeAll { $0.source === source }
        watches.removeAll(of: source)
    }

    /// Schedules a source that has new work to run before the loop waits. On the loop.
    public func run(_ source: some EventSource) {
        assertIsCurrent()
        for index in runners.indices where runners[index].source === source { runners[index].isDue = true }
    }

    // MARK: Descriptors

    /// Starts to watch a descriptor for a source. On the loop.
    ///
    /// - Parameters:
    ///   - events: nil for none at the moment, not even a hang-up.
    ///   - isUrgent: whether it is polled more often than the others, and handled before them.
    public func watch(
        _ descriptor: CInt, for events: Events?, isUrgent: Bool = false, by source: some EventSource
    ) -> Watch {
        assertIsCurrent()
        return watches.insert(descriptor, for: events, isUrgent: isUrgent, by: source)
    }

    /// Changes the events that a descriptor is watched for; nil for none. On the loop.
    public func change(_ watch: Watch, to events: Events?) {
        assertIsCurrent()
        watches.change(watch, to: events)
    }

    /// Stops watching a descriptor. On the loop.
    public func remove(_ watch: Watch) {
        assertIsCurrent()
        watches.remove(watch)
    }

    // MARK: Other threads

    /// Runs a closure on the loop, in order with everything else in the inbox. From any thread.
    ///
    /// Work that is submitted after the loop has stopped never runs.
    public func submit(_ work: @escaping @Sendable () -> Void) { add(.work(work)) }

    /// Runs a job of an actor on the loop, in order with everything else in the inbox. From any thread.
    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Traps unless the calling thread is the loop's thread.
    public func checkIsolated() { assertIsCurrent() }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Whether the calling thread is the loop's thread.
    public var isCurrent: Bool {
        // Relaxed: only the loop's own thread can find its identity here, and it stored it itself.
        thread.load(ordering: .relaxed) == identityOfThisThread()
    }

    private func assertIsCurrent() {
        precondition(isCurrent, "this must run on the loop's thread")
    }

    private func add(_ item: Item) {
        inbox.withLock { $0.append(item) }
        if state.exchange(.hasWork, ordering: .acquiringAndReleasing) == .asleep { waker.wake() }
    }

    private func runInbox(_ items: inout [Item]) {
        guard state.load(ordering: .acquiring) == .hasWork else { return }
        // Stored before the inbox is emptied: work that arrives later sets the state again, and the next pass finds it.
        state.store(.awake, ordering: .sequentiallyConsistent)
        inbox.withLock { swap(&$0, &items) }
        for item in items {
            switch item {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .work(let work): work()
            }
        }
        items.removeAll(keepingCapacity: true)
    }

    // MARK: A turn

    /// Runs every source once, then those that have new work.
    ///
    /// - Returns: how long the loop may wait.
    private func runSources() -> Duration? {
        for index in runners.indices { runners[index].isDue = true }
        var index = 0
        // A source may remove itself, or add another.
        while index < runners.count, !isStopped {
            if runners[index].isDue { run(at: index) }
            index += 1
        }
        return runDue() ? runners.lazy.compactMap(\.wait).min() : .zero
    }

    /// Runs the sources that have new work; starts over with the first ones whenever an urgent descriptor has an event.
    ///
    /// - Returns: false if some sources are still due, and the descriptors must be polled first.
    private func runDue() -> Bool {
        for _ in 0..<Self.maximumRounds {
            var hasRun = false
            var index = 0
            // What a look found is dealt with before the next.
            var mayLook = true
            while index < runners.count, !isStopped {
                if runners[index].isDue {
                    if mayLook, !runners[index].isFirst, lookAtUrgent() {
                        mayLook = false
                        index = 0
                        continue
                    }
                    mayLook = true
                    hasRun = true
                    run(at: index)
                }
                index += 1
            }
            guard hasRun, !isStopped else { return true }
        }
        return false
    }

    private func run(at index: Int) {
        let source = runners[index].source
        runners[index].isDue = false
        let wait = Self.bounded(source.run(), mayRunLate: source.mayRunLate)
        if urgentPace.hasFound { urgentPace.dealtWith(now: clock.now) }
        // It may have moved.
        if let index = runners.firstIndex(where: { $0.source === source }) { runners[index].wait = wait }
    }

    /// A source's wait, as long as the loop may sleep for it.
    static func bounded(_ wait: Duration?, mayRunLate: Bool) -> Duration? {
        wait.map { mayRunLate ? $0 : min($0, longestWait) }
    }

    private func poll(_ wait: Duration?) {
        let maySleep =
            state.compareExchange(expected: .awake, desired: .asleep, ordering: .acquiringAndReleasing).exchanged
        // If there is work, `poll` does not wait, but the descriptors are still polled: otherwise threads that always
        // submit more would starve them.
        let timeout = maySleep ? Self.timeout(for: wait) : 0
        if !watches.poll(timeout: timeout) { usleep(UInt32(Self.pauseAfterFailure.nanoseconds / 1_000)) }
        _ = state.compareExchange(expected: .asleep, desired: .awake, ordering: .acquiringAndReleasing)
        if watches.hasFound { dispatch() } else { urgentPace.restart() }
    }

    /// The timeout of `poll` for a wait, in milliseconds; -1 for no limit.
    static func timeout(for wait: Duration?) -> CInt {
        guard let wait else { return -1 }
        // Rounded up, so that the loop does not wake just before the time and find nothing to do.
        return CInt(clamping: max(0, wait.millisecondsRoundedUp))
    }

    private func dispatch() {
        if watches.takeWaker() { waker.reset() }
        let hasUrgent = tellUrgent()
        guard watches.hasFound else { return urgentPace.restart() }
        let now = clock.now
        urgentPace.looked(foundSomething: hasUrgent, now: now)
        if hasUrgent { _ = runDue() }
        var end = clock.now + Self.turnTime
        while !isStopped, let found = watches.takeOther() {
            tell(found)
            // The next turn finds the rest.
            let now = clock.now
            guard watches.hasFound, !isStopped, now < end else { return }
            if lookAtUrgent() {
                _ = runDue()
                // Urgent work does not count.
                end = end + (clock.now - now)
            }
        }
    }

    /// Polls the urgent descriptors between two steps of a turn, if `UrgentPace` says that it is time.
    ///
    /// - Returns: whether they had an event, so that sources have new work.
    private func lookAtUrgent() -> Bool {
        guard watches.hasUrgent else { return false }
        let now = clock.now
        guard urgentPace.isDue(now: now) else { return false }
        watches.pollUrgent()
        let hasUrgent = tellUrgent()
        urgentPace.looked(foundSomething: hasUrgent, now: now)
        return hasUrgent
    }

    /// - Returns: whether there was an event.
    private func tellUrgent() -> Bool {
        var hasTold = false
        while let found = watches.takeUrgent() {
            tell(found)
            hasTold = true
        }
        return hasTold
    }

    private func tell(_ found: WatchTable.Found) {
        run(found.source)
        found.source.ready(found.watch, found.events)
    }
}

private func identityOfThisThread() -> UInt {
    #if canImport(Darwin)
    UInt(bitPattern: pthread_self())
    #else
    UInt(pthread_self())
    #endif
}
