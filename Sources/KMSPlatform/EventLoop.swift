import CKMSLinux
import Synchronization

/// Something that lives on an `EventLoop`. The loop calls it on its own thread only.
public protocol EventSource: AnyObject {
    /// Does what can be done now: called once or more in every turn of the loop, after what descriptors and other threads
    /// brought.
    ///
    /// - Returns: how long it can wait to be run again, whatever happens meanwhile; nil for as long as nothing does.
    func run() -> Duration?

    /// A descriptor has one of the events that it is watched for, or was hung up.
    func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events)
}

/// A thread's loop: it waits for descriptors, times and other threads, and lets its sources deal with them.
///
/// ```
///              ┌────────────────────── a turn ───────────────────────┐
///  other       │                                                     │
///  threads ─▶ inbox ─▶ every source: run ─▶ poll ─▶ the descriptors: ready, until the turn's time is over
/// ```
///
/// It is the executor of the actors on it: their jobs and the closures of `submit` share the inbox, in the order in which
/// they came. Nothing that runs on it may block, as everything on it waits meanwhile. Every turn looks at the descriptors,
/// however much other threads submit; and a turn is bounded. However much there is to do, the urgent descriptors are looked
/// at between its steps, as often as `UrgentPace` says, and what they bring is dealt with first.
public final class EventLoop: SerialExecutor, @unchecked Sendable {
    // Sendable: `inbox`, `state` and `thread` may be used by any thread, as may the waker. All other state belongs to the
    // loop's thread, which every method that touches it checks.

    private struct Runner {
        let source: any EventSource
        /// It deals with what is urgent, so that the urgent descriptors need not be looked at before it runs.
        let isFirst: Bool
        /// It has to run before the loop waits.
        var isDue = true
        /// What it said last.
        var wait: Duration?
    }

    /// The time that a turn may give to descriptors that are not urgent.
    private static let turnTime = Duration.microseconds(500)
    /// How often a source may be run before the descriptors are looked at.
    private static let maximumRounds = 8
    /// While something waits for its time, the loop looks at the clock this often. `poll` does not count the time that the
    /// machine is suspended, and the clock does: this is how late a deadline can be noticed after it resumes.
    private static let longestWait = Duration.seconds(1)
    /// How long to wait after `poll` failed, so that a lasting error does not take a whole core.
    private static let pauseAfterFailure = Duration.milliseconds(20)

    private enum Item {
        case job(UnownedJob)
        case work(@Sendable () -> Void)
    }

    /// Whether there is work in the inbox, and whether the thread has to be woken for it.
    private enum State: UInt8, AtomicRepresentable {
        case awake
        /// In `poll`, or on the way there.
        case asleep
        case hasWork
    }

    private let inbox = Lock<[Item]>([])
    private let state = Atomic(State.awake)
    private let waker: Waker
    /// The identity of the loop's thread; 0 while it is on the way to one of its own.
    private let thread: Atomic<UInt>

    private let clock = SystemClock()
    private var runners: [Runner] = []
    private var watches: WatchTable
    private var urgentPace = UrgentPace()
    private var isStopped = false

    /// A loop of the calling thread, until another runs it.
    ///
    /// - Throws: `PlatformError` when the system has no descriptors left.
    public init() throws(PlatformError) {
        waker = try Waker()
        thread = Atomic(identityOfThisThread())
        watches = WatchTable(waker: waker.descriptor)
    }

    // MARK: Running

    /// Runs until `stop`, on the calling thread, which is the loop's from now on.
    ///
    /// - Parameter begin: what runs first.
    public func run(_ begin: () -> Void = {}) {
        thread.store(identityOfThisThread(), ordering: .relaxed)
        isStopped = false
        begin()
        // Swapped with the inbox, so that neither gives its memory back.
        var items: [Item] = []
        while !isStopped {
            runInbox(&items)
            let wait = runSources()
            guard !isStopped else { break }
            poll(wait)
        }
    }

    /// Runs on a thread of its own until `stop`. Once only; what was submitted before runs first.
    ///
    /// - Parameter name: of the thread; at most 15 bytes on Linux, cut if longer.
    /// - Throws: `PlatformError` when the system refuses another thread. Then the loop is the calling thread's as before.
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

    /// Ends `run` after the step that is going on. On the loop.
    public func stop() {
        assertIsCurrent()
        isStopped = true
    }

    // MARK: Sources

    /// From now on the loop runs a source. On the loop.
    ///
    /// - Parameter isFirst: before the others, to which it gives work, instead of after them: for the source of the urgent
    ///   descriptors.
    public func add(_ source: some EventSource, isFirst: Bool = false) {
        assertIsCurrent()
        runners.insert(Runner(source: source, isFirst: isFirst), at: isFirst ? 0 : runners.count)
    }

    /// The loop forgets a source, and the descriptors that it has watched for it. On the loop.
    public func remove(_ source: some EventSource) {
        assertIsCurrent()
        runners.removeAll { $0.source === source }
        watches.removeAll(of: source)
    }

    /// Has a source run before the loop waits, since it was given something to do. On the loop.
    public func run(_ source: some EventSource) {
        for index in runners.indices where runners[index].source === source { runners[index].isDue = true }
    }

    // MARK: Descriptors

    /// Watches a descriptor for a source. On the loop.
    ///
    /// - Parameters:
    ///   - events: nil for none, not even a hang-up, for now.
    ///   - isUrgent: whether it is looked at in every turn, before the others.
    public func watch(
        _ descriptor: CInt, for events: Events?, isUrgent: Bool = false, by source: some EventSource
    ) -> Watch {
        assertIsCurrent()
        return watches.insert(descriptor, for: events, isUrgent: isUrgent, by: source)
    }

    /// Watches a descriptor for other events; nil for none. On the loop.
    public func change(_ watch: Watch, to events: Events?) {
        watches.change(watch, to: events)
    }

    /// Watches a descriptor no longer. On the loop.
    public func remove(_ watch: Watch) {
        assertIsCurrent()
        watches.remove(watch)
    }

    // MARK: Other threads

    /// Runs a closure on the loop, in order with everything else in the inbox. From any thread.
    ///
    /// What is submitted after the loop has stopped never runs.
    public func submit(_ work: @escaping @Sendable () -> Void) { add(.work(work)) }

    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    public func checkIsolated() { assertIsCurrent() }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Whether the calling thread is the loop's.
    public var isCurrent: Bool {
        // Relaxed: only the thread itself can find its own identity here, and it wrote it.
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
        // Before the look: what comes after it is found by the next.
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

    /// Runs all sources once, and then those that were given something to do.
    ///
    /// - Returns: how long the loop may wait.
    private func runSources() -> Duration? {
        var index = 0
        // A source may be removed, or add another.
        while index < runners.count, !isStopped {
            run(at: index)
            index += 1
        }
        return runDue() ? runners.lazy.compactMap(\.wait).min() : .zero
    }

    /// Runs the sources that were given something to do, the first ones first whenever an urgent descriptor has something.
    ///
    /// - Returns: whether they have done it all; else the descriptors are to be looked at before the rest.
    private func runDue() -> Bool {
        for _ in 0..<Self.maximumRounds {
            var hasRun = false
            var index = 0
            while index < runners.count, !isStopped {
                if runners[index].isDue {
                    if !runners[index].isFirst, lookAtUrgent() {
                        index = 0
                        continue
                    }
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
        let wait = source.run()
        if urgentPace.hasFound { urgentPace.dealtWith(now: clock.now) }
        if index < runners.count, runners[index].source === source { runners[index].wait = wait }
    }

    private func poll(_ wait: Duration?) {
        let maySleep =
            state.compareExchange(expected: .awake, desired: .asleep, ordering: .acquiringAndReleasing).exchanged
        // While there is work the descriptors are looked at all the same, or threads that always have more would starve them.
        let timeout = maySleep ? Self.timeout(for: wait) : 0
        if !watches.poll(timeout: timeout) { usleep(UInt32(Self.pauseAfterFailure.nanoseconds / 1_000)) }
        _ = state.compareExchange(expected: .asleep, desired: .awake, ordering: .acquiringAndReleasing)
        if watches.hasFound { dispatch() }
    }

    /// What `poll` is given for a wait: milliseconds, -1 for as long as it takes.
    static func timeout(for wait: Duration?) -> CInt {
        guard let wait else { return -1 }
        // Rounded up, so that the loop does not wake just before the time and find nothing to do.
        return CInt(max(0, min(wait, longestWait).millisecondsRoundedUp))
    }

    private func dispatch() {
        if watches.takeWaker() { waker.reset() }
        let hasUrgent = tellUrgent()
        guard watches.hasFound else { return urgentPace.restart() }
        let now = clock.now
        urgentPace.looked(foundSomething: hasUrgent, now: now)
        if hasUrgent { _ = runDue() }
        let end = now + Self.turnTime
        while !isStopped, let found = watches.takeOther() {
            tell(found)
            // What is left is found again by the next turn.
            guard watches.hasFound, clock.now < end else { return }
            if lookAtUrgent() { _ = runDue() }
        }
    }

    /// Looks at the urgent descriptors between two steps of a turn, if it is time to.
    ///
    /// - Returns: whether they had something, so that sources are due.
    private func lookAtUrgent() -> Bool {
        guard watches.hasUrgent else { return false }
        let now = clock.now
        guard urgentPace.isDue(now: now) else { return false }
        watches.pollUrgent()
        let hasUrgent = tellUrgent()
        urgentPace.looked(foundSomething: hasUrgent, now: now)
        return hasUrgent
    }

    /// - Returns: whether there was something to tell.
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
