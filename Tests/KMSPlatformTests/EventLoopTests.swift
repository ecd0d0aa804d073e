import KMSTestSupport
import Testing

@testable import KMSPlatform

@Suite(.timeLimit(.minutes(1))) final class EventLoopTests {
    /// A source that does what it is told, and records what it is asked.
    private final class Recorder: EventSource {
        var onRun: () -> Duration? = { nil }
        var onReady: (EventLoop.Watch, EventLoop.Events) -> Void = { _, _ in }

        func run() -> Duration? { onRun() }

        func ready(_ watch: EventLoop.Watch, _ events: EventLoop.Events) { onReady(watch, events) }
    }

    /// What they do holds the loop, which holds them.
    private let recorders = Lock<[Recorder]>([])

    private func recorder() -> Recorder {
        let recorder = Recorder()
        recorders.withLock { $0.append(recorder) }
        return recorder
    }

    deinit {
        for recorder in recorders.withLock({ $0 }) {
            recorder.onRun = { nil }
            recorder.onReady = { _, _ in }
        }
    }

    private static func pipe(filled: Bool = false) throws -> (read: CInt, write: CInt) {
        let ends = try Descriptors.pipe(isNonBlocking: true)
        if filled { write(ends.write, "x", 1) }
        return ends
    }

    private static func close(_ ends: (read: CInt, write: CInt)) {
        KMSPlatform.close(ends.read)
        KMSPlatform.close(ends.write)
    }

    // MARK: Other threads

    @Test func `closures and jobs of other threads run on the loop, in order, those before its start, too`()
        async throws
    {
        let loop = try EventLoop()
        let order = Lock<[Int]>([])
        for number in 0..<50 { loop.submit { order.withLock { $0.append(number) } } }
        try loop.start(name: "loop")
        for number in 50..<100 { loop.submit { order.withLock { $0.append(number) } } }
        let isolated = await withCheckedContinuation { continuation in
            loop.submit {
                loop.checkIsolated()
                continuation.resume(returning: loop.isIsolatingCurrentContext())
            }
        }
        #expect(isolated == true)
        #expect(loop.isIsolatingCurrentContext() == false)
        #expect(order.withLock { $0 } == Array(0..<100))
        loop.submit { loop.stop() }
    }

    private actor Counter {
        nonisolated let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        private(set) var count = 0

        init(_ loop: EventLoop) { self.loop = loop }

        func add() {
            loop.checkIsolated()
            count += 1
        }
    }

    @Test func `an actor lives on it`() async throws {
        let running = try RunningLoop()
        let counter = Counter(running.loop)
        await withTaskGroup { group in
            for _ in 0..<100 { group.addTask { await counter.add() } }
        }
        #expect(await counter.count == 100)
        let seen = await withCheckedContinuation { continuation in
            running.loop.submit { continuation.resume(returning: counter.assumeIsolated { $0.count }) }
        }
        #expect(seen == 100)
    }

    @Test func `many threads submit at once, and nothing is lost or left asleep`() async throws {
        let running = try RunningLoop()
        let count = Lock(0)
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    try await onOwnThread {
                        for _ in 0..<2_000 { running.loop.submit { count.withLock { $0 += 1 } } }
                    }
                }
            }
            try await group.waitForAll()
        }
        await withCheckedContinuation { continuation in running.loop.submit { continuation.resume() } }
        #expect(count.withLock { $0 } == 8_000)
    }

    @Test func `threads that always have more work for the loop do not starve its descriptors`() throws {
        let loop = try EventLoop()
        let source = recorder()
        let pipe = try Self.pipe(filled: true)
        defer { Self.close(pipe) }
        let isTold = Lock(false)
        let watch = loop.watch(pipe.read, for: .readable, by: source)
        source.onReady = { _, _ in
            loop.change(watch, to: nil)
            isTold.withLock { $0 = true }
        }
        /// Each submits the next, so that the inbox is never empty.
        @Sendable func submit(_ left: Int) {
            loop.submit {
                if left == 0 || isTold.withLock({ $0 }) { loop.stop() } else { submit(left - 1) }
            }
        }
        submit(1_000)
        loop.run()
        #expect(isTold.withLock { $0 })
    }

    @Test func `a time that is over is no reason to wait`() throws {
        let loop = try EventLoop()
        let source = recorder()
        var runs = 0
        source.onRun = {
            runs += 1
            if runs == 3 { loop.stop() }
            return .seconds(-1)
        }
        loop.add(source)
        loop.run()
        #expect(runs == 3)
    }

    // MARK: Running

    @Test func `stop ends the loop after the step that is going on, and it can run again`() throws {
        let loop = try EventLoop()
        let source = recorder()
        var runs = 0
        source.onRun = {
            runs += 1
            if runs % 3 == 0 { loop.stop() }
            return .zero
        }
        loop.add(source)
        loop.run()
        #expect(runs == 3)
        loop.run()
        #expect(runs == 6)
    }

    @Test func `what begins the run may stop it`() throws {
        let loop = try EventLoop()
        let source = recorder()
        var runs = 0
        source.onRun = {
            runs += 1
            return nil
        }
        loop.add(source)
        loop.run { loop.stop() }
        #expect(runs == 0)
    }

    @Test func `sources run in their order, and those that were given something run again`() throws {
        let loop = try EventLoop()
        var order: [String] = []
        let (first, second, third) = (recorder(), recorder(), recorder())
        first.onRun = {
            order.append("first")
            // It has yet to run in this turn.
            loop.run(second)
            return nil
        }
        second.onRun = {
            order.append("second")
            return nil
        }
        third.onRun = {
            order.append("third")
            if order.count == 3 { loop.run(second) } else { loop.stop() }
            return .zero
        }
        loop.add(second)
        loop.add(third)
        loop.add(first, isFirst: true)
        loop.run()
        #expect(order == ["first", "second", "third", "second", "first", "second", "third"])
    }

    @Test func `the earliest time of all sources ends the wait`() throws {
        let loop = try EventLoop()
        let (patient, urgent) = (recorder(), recorder())
        patient.onRun = { .seconds(3_600) }
        var runs = 0
        urgent.onRun = {
            runs += 1
            if runs == 2 { loop.stop() }
            return .milliseconds(1)
        }
        loop.add(patient)
        loop.add(urgent)
        loop.run()
        #expect(runs == 2)
    }

    @Test(arguments: [
        (wait: Duration?.none, timeout: CInt(-1)), (wait: .seconds(-1), timeout: 0), (wait: .zero, timeout: 0),
        (wait: .nanoseconds(1), timeout: 1), (wait: .microseconds(1_001), timeout: 2),
        (wait: .milliseconds(999), timeout: 999), (wait: .seconds(1), timeout: 1_000),
        (wait: .seconds(300), timeout: 1_000), (wait: .seconds(Int64.max / 2), timeout: 1_000),
    ])
    func `a wait is rounded up, and cut so that time during a suspension is noticed`(wait: Duration?, timeout: CInt) {
        #expect(EventLoop.timeout(for: wait) == timeout)
    }

    @Test func `an idle loop sleeps`() async throws {
        let running = try RunningLoop()
        let runs = Lock(0)
        await withCheckedContinuation { continuation in
            running.loop.submit {
                let source = Recorder()
                source.onRun = {
                    runs.withLock { $0 += 1 }
                    return nil
                }
                running.loop.add(source)
                continuation.resume()
            }
        }
        // Each closure wakes it once: a loop that never slept would run its sources without end between two of them.
        for _ in 0..<50 {
            await withCheckedContinuation { continuation in running.loop.submit { continuation.resume() } }
        }
        #expect(runs.withLock { $0 } <= 52)
    }

    // MARK: Descriptors

    @Test func `a descriptor is told for what it is watched for, and as closed whenever it is watched`() throws {
        let loop = try EventLoop()
        let source = recorder()
        let pipe = try Self.pipe(filled: true)
        let watch = loop.watch(pipe.read, for: .readable, by: source)
        var seen: [EventLoop.Events] = []
        source.onReady = { ready, events in
            #expect(ready == watch)
            seen.append(events)
            switch seen.count {
            case 1:
                // No longer for reading: only that nobody will write any more is news.
                loop.change(watch, to: [])
                KMSPlatform.close(pipe.write)
            default: loop.stop()
            }
        }
        loop.run()
        #expect(seen.count == 2)
        #expect(seen.first == .readable)
        #expect(seen.last.map { !$0.isDisjoint(with: .closed) } == true)
        KMSPlatform.close(pipe.read)
    }

    @Test func `a descriptor that is watched for nothing does not end the wait, even if it is hung up`() throws {
        let loop = try EventLoop()
        let source = recorder()
        let pipe = try Self.pipe(filled: true)
        let watch = loop.watch(pipe.read, for: nil, by: source)
        KMSPlatform.close(pipe.write)
        source.onReady = { _, _ in Issue.record("it was told") }
        var runs = 0
        source.onRun = {
            runs += 1
            if runs == 2 { loop.stop() }
            return .milliseconds(1)
        }
        loop.add(source)
        loop.run()
        loop.remove(watch)
        KMSPlatform.close(pipe.read)
    }

    @Test func `the next user of a place does not get the last one's events`() throws {
        let loop = try EventLoop()
        let (first, second) = (recorder(), recorder())
        let pipes = try [Self.pipe(filled: true), Self.pipe(filled: true), Self.pipe()]
        defer { for pipe in pipes { Self.close(pipe) } }
        let watches = [
            loop.watch(pipes[0].read, for: .readable, by: first), loop.watch(pipes[1].read, for: .readable, by: first),
        ]
        second.onReady = { _, _ in Issue.record("an empty pipe is readable") }
        first.onReady = { watch, _ in
            // Both are readable. Whichever is told first, the other's place goes to an empty pipe.
            for other in watches where other != watch {
                loop.remove(other)
                #expect(loop.watch(pipes[2].read, for: .readable, by: second).token == other.token)
            }
            loop.change(watch, to: nil)
        }
        var runs = 0
        first.onRun = {
            runs += 1
            if runs == 3 { loop.stop() }
            return .zero
        }
        loop.add(first)
        loop.run()
    }

    @Test func `a source that is removed is neither run nor told anything`() throws {
        let loop = try EventLoop()
        let (removed, other) = (recorder(), recorder())
        let pipe = try Self.pipe(filled: true)
        defer { Self.close(pipe) }
        removed.onReady = { _, _ in Issue.record("it was told") }
        removed.onRun = {
            Issue.record("it was run")
            return nil
        }
        _ = loop.watch(pipe.read, for: .readable, isUrgent: true, by: removed)
        loop.add(removed)
        loop.add(other)
        loop.remove(removed)
        var runs = 0
        other.onRun = {
            runs += 1
            if runs == 3 { loop.stop() }
            return .zero
        }
        loop.run()
    }

    @Test func `an urgent descriptor is looked at between others that take long`() throws {
        let loop = try EventLoop()
        let (slow, urgent) = (recorder(), recorder())
        let pipes = try (0..<8).map { _ in try Self.pipe(filled: true) }
        let bell = try Self.pipe()
        defer { for pipe in pipes + [bell] { Self.close(pipe) } }
        for pipe in pipes { _ = loop.watch(pipe.read, for: .readable, by: slow) }
        _ = loop.watch(bell.read, for: .readable, isUrgent: true, by: urgent)
        var order: [String] = []
        slow.onReady = { watch, _ in
            order.append("slow")
            loop.change(watch, to: nil)
            if order.count == 1 { write(bell.write, "x", 1) }
            // Longer than the pause between two looks, and so short that a turn has time for several.
            let end = SystemClock().now + .microseconds(100)
            while SystemClock().now < end {}
        }
        urgent.onReady = { watch, _ in
            order.append("urgent")
            loop.change(watch, to: nil)
        }
        slow.onRun = {
            if order.count == 9 { loop.stop() }
            return .zero
        }
        loop.add(slow)
        loop.run()
        #expect(order == ["slow", "urgent"] + Array(repeating: "slow", count: 7))
    }

    @Test func `an urgent descriptor is looked at between the runs of a source that has much to do`() throws {
        let loop = try EventLoop()
        let (busy, urgent) = (recorder(), recorder())
        let bell = try Self.pipe()
        defer { Self.close(bell) }
        let watch = loop.watch(bell.read, for: .readable, isUrgent: true, by: urgent)
        var order: [String] = []
        busy.onRun = {
            order.append("busy")
            if order.count == 1 { write(bell.write, "x", 1) }
            let end = SystemClock().now + .milliseconds(1)
            while SystemClock().now < end {}
            if order.count < 6 { loop.run(busy) } else { loop.stop() }
            return nil
        }
        urgent.onReady = { _, _ in
            order.append("bell")
            loop.change(watch, to: nil)
        }
        urgent.onRun = {
            if order.last == "bell" { order.append("urgent") }
            return nil
        }
        loop.add(busy)
        loop.add(urgent, isFirst: true)
        loop.run()
        // The second run is the one that the look comes after: a pause begins with the first question.
        #expect(order == ["busy", "busy", "bell", "urgent", "busy", "busy"])
    }

    @Test func `a change of what a descriptor is watched for holds for what was found before`() throws {
        let loop = try EventLoop()
        let source = recorder()
        let pipes = try [Self.pipe(filled: true), Self.pipe(filled: true)]
        defer { for pipe in pipes { Self.close(pipe) } }
        let watches = pipes.map { loop.watch($0.read, for: .readable, by: source) }
        var told: [EventLoop.Watch] = []
        source.onReady = { watch, _ in
            told.append(watch)
            // Both were found readable.
            for watch in watches { loop.change(watch, to: []) }
        }
        var runs = 0
        source.onRun = {
            runs += 1
            if runs == 3 { loop.stop() }
            return .zero
        }
        loop.add(source)
        loop.run()
        #expect(told.count == 1)
    }

    // The address sanitizer needs a descriptor at the end of the process.
    @Test(.enabled(if: getenv("NCLOUD_KMS_SANITIZER") == nil, "a sanitizer needs more descriptors"))
    func `a limit of descriptors that is lowered below those it watches does not make it deaf`() async {
        await #expect(processExitsWith: .success) {
            let loop = try EventLoop()
            let source = Recorder()
            let pipes = try (0..<4).map { _ in try EventLoopTests.pipe() }
            for pipe in pipes { _ = loop.watch(pipe.read, for: .readable, by: source) }
            var limit = rlimit(rlim_cur: 3, rlim_max: 3)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            source.onReady = { watch, _ in
                if watch.descriptor == pipes[3].read { loop.stop() }
            }
            loop.run { write(pipes[3].write, "x", 1) }
        }
    }

    @Test func `each of many descriptors gets its turn`() throws {
        let loop = try EventLoop()
        let source = recorder()
        let pipes = try (0..<20).map { _ in try Self.pipe(filled: true) }
        defer { for pipe in pipes { Self.close(pipe) } }
        for pipe in pipes { _ = loop.watch(pipe.read, for: .readable, by: source) }
        var told: [CInt: Int] = [:]
        source.onReady = { watch, _ in
            // Nothing is read, so that all stay readable.
            told[watch.descriptor, default: 0] += 1
            let end = SystemClock().now + .microseconds(600)
            while SystemClock().now < end {}
            if told.values.reduce(0, +) == 100 { loop.stop() }
        }
        loop.run()
        #expect(told.count == 20)
        #expect(told.values.allSatisfy { $0 == 5 }, "\(told)")
    }
}
