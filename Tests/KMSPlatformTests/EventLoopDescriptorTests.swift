import KMSTestSupport
import Testing

@testable import KMSPlatform

/// What the loop tells its sources about descriptors.
@Suite(.timeLimit(.minutes(5))) struct EventLoopDescriptorTests {
    private let recorders = Recorders()

    @Test func `a descriptor is told for what it is watched for, and as closed whenever it is watched`() throws {
        let loop = try EventLoop()
        let source = recorders.make()
        let pipe = try TestPipe(isFilled: true)
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
        let source = recorders.make()
        let pipe = try TestPipe(isFilled: true)
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
        let (first, second) = (recorders.make(), recorders.make())
        let pipes = try [TestPipe(isFilled: true), TestPipe(isFilled: true), TestPipe()]
        defer { for pipe in pipes { pipe.close() } }
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
        let (removed, other) = (recorders.make(), recorders.make())
        let pipe = try TestPipe(isFilled: true)
        defer { pipe.close() }
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
        let (slow, urgent) = (recorders.make(), recorders.make())
        let pipes = try (0..<8).map { _ in try TestPipe(isFilled: true) }
        let bell = try TestPipe()
        defer { for pipe in pipes + [bell] { pipe.close() } }
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
        let (busy, urgent) = (recorders.make(), recorders.make())
        let bell = try TestPipe()
        defer { bell.close() }
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
        let source = recorders.make()
        let pipes = try [TestPipe(isFilled: true), TestPipe(isFilled: true)]
        defer { for pipe in pipes { pipe.close() } }
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
            let pipes = try (0..<4).map { _ in try TestPipe() }
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
        let source = recorders.make()
        let pipes = try (0..<20).map { _ in try TestPipe(isFilled: true) }
        defer { for pipe in pipes { pipe.close() } }
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
