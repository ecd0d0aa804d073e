import CLinux
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
/// however much other threads submit; and a turn is bounded: however many descriptors have something to do, the urgent ones
/// are looked at between a few of them.
public final class EventLoop: SerialExecutor, @unchecked Sendable {
    // Sendable: `inbox`, `state` and `thread` may be used by any thread, as may the waker. All other state belongs to the
    // loop's thread, which every method that touches it checks.

    /// What a descriptor is watched for; with none of them, only whether it is hung up or broken.
    public struct Events: OptionSet, Sendable {
        public let rawValue: Int16

        public init(rawValue: Int16) { self.rawValue = rawValue }

        public static let readable = Events(rawValue: Int16(POLLIN))
        public static let writable = Events(rawValue: Int16(POLLOUT))
        /// Hung up, broken or not open; reported whether or not it is asked for.
        public static let closed = Events(rawValue: Int16(POLLERR | POLLHUP | POLLNVAL))
    }

    /// A descriptor that a source has the loop watch.
    public struct Watch: Equatable, Sendable {
        public let descriptor: CInt
        fileprivate let place: Int

        /// What tells it from the loop's other watches, for a C library to keep beside the descriptor. Never 0.
        public var token: Int { place }

        public init(descriptor: CInt, token: Int) {
            self.descriptor = descriptor
            place = token
        }
    }

    private struct Runner {
        let source: any EventSource
        /// It has to run before the loop waits.
        var isDue = true
        /// What it said last.
        var wait: Duration?
    }

    private struct Watcher {
        /// Nil in a place that is free.
        var source: (any EventSource)?
        var isUrgent: Bool
    }

    /// The time that a turn may give to descriptors that are not urgent: a few round trips to a service, or a TLS
    /// handshake, so that an urgent descriptor waits no longer than a host would notice.
    private static let turnTime = Duration.microseconds(500)
    /// How often a source may be run before the descriptors are looked at.
    private static let maximumRounds = 8
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
    /// What `poll` is given: the waker, then one entry for each place.
    private var entries: [pollfd]
    private var watchers = [Watcher(source: nil, isUrgent: false)]
    private var freePlaces: [Int] = []
    private var urgentPlaces: [Int] = []
    /// Where the next turn goes on with the places that are not urgent.
    private var nextPlace = 1
    private var isStopped = false

    /// A loop of the calling thread, until another runs it.
    ///
    /// - Throws: `PlatformError` when the system has no descriptors left.
    public init() throws(PlatformError) {
        waker = try Waker()
        thread = Atomic(identityOfThisThread())
        entries = [pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)]
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
    /// - Parameter isFirst: before the others, to which it gives work, in place of after them.
    public func add(_ source: some EventSource, isFirst: Bool = false) {
        assertIsCurrent()
        runners.insert(Runner(source: source), at: isFirst ? 0 : runners.count)
    }

    /// The loop forgets a source, and the descriptors that it has watched for it. On the loop.
    public func remove(_ source: some EventSource) {
        assertIsCurrent()
        runners.removeAll { $0.source === source }
        for place in watchers.indices where watchers[place].source === source { free(place) }
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
        let place: Int
        if let free = freePlaces.popLast() {
            place = free
            watchers[place] = Watcher(source: source, isUrgent: isUrgent)
        } else {
            place = entries.count
            entries.append(pollfd(fd: -1, events: 0, revents: 0))
            watchers.append(Watcher(source: source, isUrgent: isUrgent))
        }
        if isUrgent { urgentPlaces.append(place) }
        let watch = Watch(descriptor: descriptor, token: place)
        change(watch, to: events)
        // An event of the place's last user is not for this one.
        entries[place].revents = 0
        return watch
    }

    /// Watches a descriptor for other events; nil for none. On the loop.
    public func change(_ watch: Watch, to events: Events?) {
        // While nothing is wanted the descriptor is left out: its hang-up would not let the loop sleep.
        entries[watch.place].fd = events == nil ? -1 : watch.descriptor
        entries[watch.place].events = events?.rawValue ?? 0
    }

    /// Watches a descriptor no longer. On the loop.
    public func remove(_ watch: Watch) {
        assertIsCurrent()
        free(watch.place)
    }

    private func free(_ place: Int) {
        watchers[place].source = nil
        entries[place] = pollfd(fd: -1, events: 0, revents: 0)
        urgentPlaces.removeAll { $0 == place }
        freePlaces.append(place)
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
        for index in runners.indices { runners[index].isDue = true }
        for _ in 0..<Self.maximumRounds {
            var hasRun = false
            var index = 0
            // A source may be removed, or add another.
            while index < runners.count, !isStopped {
                if runners[index].isDue {
                    hasRun = true
                    run(at: index)
                }
                index += 1
            }
            guard hasRun, !isStopped else { return runners.lazy.compactMap(\.wait).min() }
        }
        return .zero
    }

    private func run(at index: Int) {
        let source = runners[index].source
        runners[index].isDue = false
        let wait = source.run()
        if index < runners.count, runners[index].source === source { runners[index].wait = wait }
    }

    private func poll(_ wait: Duration?) {
        let maySleep =
            state.compareExchange(expected: .awake, desired: .asleep, ordering: .acquiringAndReleasing).exchanged
        // While there is work the descriptors are looked at all the same, or threads that always have more would starve them.
        // Rounded up, so that the loop does not wake just before the time and find nothing to do.
        let timeout = maySleep ? wait.map { CInt(clamping: max(0, $0.millisecondsRoundedUp)) } ?? -1 : 0
        var count = entries.withUnsafeMutableBufferPointer {
            systemPoll($0.baseAddress, nfds_t($0.count), timeout)
        }
        if count < 0, errno != EINTR {
            // The system is out of memory, or its limit of descriptors was lowered: more than that `poll` does not take.
            count = pollEach()
            if count == 0 { usleep(UInt32(Self.pauseAfterFailure.nanoseconds / 1_000)) }
        }
        _ = state.compareExchange(expected: .asleep, desired: .awake, ordering: .acquiringAndReleasing)
        if count > 0 { dispatch(count) }
    }

    /// Looks at one descriptor after the other, without waiting.
    ///
    /// - Returns: how many have something.
    private func pollEach() -> CInt {
        var count: CInt = 0
        for place in entries.indices {
            entries[place].revents = 0
            if systemPoll(&entries[place], 1, 0) > 0 { count += 1 }
        }
        return count
    }

    /// - Parameter count: how many descriptors have something.
    private func dispatch(_ count: CInt) {
        var left = Int(count)
        if entries[0].revents != 0 {
            waker.reset()
            left -= 1
        }
        for place in urgentPlaces where left > 0 && tell(place) { left -= 1 }
        guard left > 0 else { return }
        let end = clock.now + Self.turnTime
        for _ in 1..<max(entries.count, 2) {
            if nextPlace >= entries.count { nextPlace = 1 }
            defer { nextPlace += 1 }
            guard !watchers[nextPlace].isUrgent, tell(nextPlace) else { continue }
            left -= 1
            // What is left is found again by the next turn.
            guard left > 0, !isStopped, clock.now < end else { return }
        }
    }

    /// - Returns: whether there was something to tell.
    private func tell(_ place: Int) -> Bool {
        let events = entries[place].revents
        guard events != 0, let source = watchers[place].source else { return false }
        entries[place].revents = 0
        source.ready(
            Watch(descriptor: entries[place].fd, token: place), Events(rawValue: events))
        return true
    }
}

/// `poll(2)`, which the method of the same name hides.
private func systemPoll(_ entries: UnsafeMutablePointer<pollfd>?, _ count: nfds_t, _ timeout: CInt) -> CInt {
    poll(entries, count, timeout)
}

private func identityOfThisThread() -> UInt {
    #if canImport(Darwin)
    UInt(bitPattern: pthread_self())
    #else
    UInt(pthread_self())
    #endif
}
