import Platform
import TestSupport
import Testing

@testable import NCloudKMS

/// The smallest owner of a `CurlThread`: the shape in which the client's engine uses it.
private actor Engine {
    nonisolated let thread: CurlThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let multi: CurlMulti
    private var waiting: [TransferID: CheckedContinuation<HTTPResponse, any Error>] = [:]
    private var deadlines: [TransferID: Instant] = [:]
    private let clock = SystemClock()
    private(set) var turns = 0

    init(_ configuration: TransportConfiguration = .forTests()) throws {
        let multi = try CurlMulti(configuration, environment: CurlEnvironment.ready())
        thread = CurlThread(waker: multi.waker)
        self.multi = multi
    }

    nonisolated func start(ended: @escaping @Sendable () -> Void = {}) throws {
        try thread.start(turn: { self.assumeIsolated { $0.turn() } }, ended: ended)
    }

    func send(_ request: HTTPRequest, within limit: Duration = .seconds(30)) async throws -> HTTPResponse {
        let id = try multi.start(request)
        deadlines[id] = clock.now + limit
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting[id] = $0 }
        } onCancel: {
            thread.submit { self.assumeIsolated { $0.cancel(id) } }
        }
    }

    var running: Int { multi.running }

    private func cancel(_ id: TransferID) {
        multi.cancel(id)
        deadlines[id] = nil
        waiting.removeValue(forKey: id)?.resume(throwing: CancellationError())
    }

    private func turn() -> CurlThread.TurnResult {
        turns += 1
        do {
            for completion in try multi.perform() {
                deadlines[completion.id] = nil
                waiting.removeValue(forKey: completion.id)?.resume(with: completion.outcome)
            }
        } catch {
            for continuation in waiting.values { continuation.resume(throwing: error) }
            waiting = [:]
            return .stop
        }
        let now = clock.now
        for (id, due) in deadlines where due <= now { cancel(id) }
        return .sleep(until: deadlines.values.min())
    }
}

@Suite struct CurlThreadTests {
    private static let ok = RawResponder.answer("200 OK", body: "{}")

    @Test func `an actor on the thread sends requests and gets the answers`() async throws {
        let responder = try RawResponder([.readRequest, .send(Self.ok), .again])
        let engine = try Engine()
        try engine.start()
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask { try await engine.send(.forTests(responder.baseURL)).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: 20))
        #expect(responder.requests.count == 20)
        engine.thread.stop()
    }

    @Test func `a cancelled task ends its transfer and closes the connection`() async throws {
        let (connections, events) = AsyncStream.makeStream(of: String.self)
        let responder = try RawResponder { connection in
            try connection.readRequest()
            events.yield("request")
            connection.waitUntilPeerCloses()
            events.yield("closed")
        }
        let engine = try Engine()
        try engine.start()
        let task = Task { try await engine.send(.forTests(responder.baseURL)) }
        var iterator = connections.makeAsyncIterator()
        #expect(await iterator.next() == "request")
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await iterator.next() == "closed")
        #expect(await engine.running == 0)
        engine.thread.stop()
    }

    @Test func `a deadline of the heap ends a transfer that nobody answers`() async throws {
        let responder = try RawResponder([.readRequest, .waitUntilPeerCloses])
        let engine = try Engine()
        try engine.start()
        await #expect(throws: CancellationError.self) {
            try await engine.send(.forTests(responder.baseURL), within: .milliseconds(30))
        }
        engine.thread.stop()
    }

    @Test func `closures and jobs run on the thread, and closures in order`() async throws {
        let engine = try Engine()
        let order = Lock<[Int]>([])
        // Those before the start are not lost.
        for number in 0..<50 { engine.thread.submit { order.withLock { $0.append(number) } } }
        try engine.start()
        for number in 50..<100 { engine.thread.submit { order.withLock { $0.append(number) } } }
        let isolated = await withCheckedContinuation { continuation in
            engine.thread.submit {
                engine.thread.checkIsolated()
                continuation.resume(returning: engine.thread.isIsolatingCurrentContext())
            }
        }
        #expect(isolated == true)
        #expect(engine.thread.isIsolatingCurrentContext() == false)
        #expect(order.withLock { $0 } == Array(0..<100))
        engine.thread.stop()
    }

    @Test func `what comes before a stop runs and what comes after it does not`() async throws {
        let engine = try Engine()
        let ran = Lock<[String]>([])
        engine.thread.submit { ran.withLock { $0.append("before") } }
        engine.thread.stop()
        engine.thread.submit { ran.withLock { $0.append("after") } }
        engine.thread.stop()
        await withCheckedContinuation { continuation in
            do { try engine.start { continuation.resume() } } catch { Issue.record(error) }
        }
        #expect(ran.withLock { $0 } == ["before"])
        #expect(engine.thread.isIsolatingCurrentContext() == false)
    }

    @Test func `a turn can end the thread`() async throws {
        let multi = try CurlMulti(.forTests(), environment: CurlEnvironment.ready())
        let thread = CurlThread(waker: multi.waker)
        await withCheckedContinuation { continuation in
            do { try thread.start(turn: { .stop }, ended: { continuation.resume() }) } catch { Issue.record(error) }
        }
    }

    @Test func `an idle thread does not turn`() async throws {
        let engine = try Engine()
        try engine.start()
        // Each question wakes the thread for its job and a turn, and at most once more. A thread that never slept
        // would turn without end between two of them.
        let first = await engine.turns
        var last = first
        for _ in 0..<50 { last = await engine.turns }
        #expect(last - first <= 2 * 50)
        engine.thread.stop()
    }

    @Test(
        arguments: [
            (5, 5, 0), (5, 4, 0), (0, 1, 1), (0, 1_000_000, 1), (0, 1_000_001, 2), (0, Int64.max, Int32.max),
        ] as [(Int64, Int64, Int32)])
    func `sleeps are rounded up to milliseconds`(now: Int64, until: Int64, milliseconds: Int32) {
        #expect(
            CurlThread.milliseconds(from: Instant(nanoseconds: now), to: Instant(nanoseconds: until)) == milliseconds)
    }
}
