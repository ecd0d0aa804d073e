import KMSTestSupport
import Testing

@testable import KMSPlatform

/// Work for the loop from other threads.
@Suite(.timeLimit(.minutes(5))) struct EventLoopThreadTests {
    private let recorders = Recorders()

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
        let source = recorders.make()
        let pipe = try TestPipe(isFilled: true)
        defer { pipe.close() }
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
}
