import KMSTestSupport
import Testing

@testable import KMSPlatform

/// When the loop runs its sources, how long it waits, and when it stops.
@Suite(.timeLimit(.minutes(5))) struct EventLoopSourceTests {
    private let recorders = Recorders()

    @Test func `stop ends the loop after the step that is going on, and it can run again`() throws {
        let loop = try EventLoop()
        let source = recorders.make()
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
        let source = recorders.make()
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
        let (first, second, third) = (recorders.make(), recorders.make(), recorders.make())
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
        let (patient, urgent) = (recorders.make(), recorders.make())
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
        (wait: .seconds(300), timeout: 300_000), (wait: .seconds(Int64.max / 2), timeout: .max),
    ])
    func `a wait is rounded up`(wait: Duration?, timeout: CInt) {
        #expect(EventLoop.timeout(for: wait) == timeout)
    }

    @Test func `a wait is cut so that time during a suspension is noticed, unless nobody waits`() {
        #expect(EventLoop.bounded(nil, mayRunLate: false) == nil)
        #expect(EventLoop.bounded(.milliseconds(999), mayRunLate: false) == .milliseconds(999))
        #expect(EventLoop.bounded(.seconds(300), mayRunLate: false) == .seconds(1))
        #expect(EventLoop.bounded(.seconds(300), mayRunLate: true) == .seconds(300))
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

    @Test func `a time that is over is no reason to wait`() throws {
        let loop = try EventLoop()
        let source = recorders.make()
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
}
