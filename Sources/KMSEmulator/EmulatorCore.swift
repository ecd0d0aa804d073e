import KMSPlatform

/// The state that requests, control requests and the user of an `Emulator` share. Its only lock is held for a few
/// look-ups, not while a signature is checked or an answer is written. The only system call while it is held is
/// `shutdown`, which does not block.
final class EmulatorCore: Sendable {
    private let configuration: Emulator.Configuration
    private let shared: Lock<Shared>

    private struct Shared {
        var service: KeyService
        /// Nil without a metadata service.
        var serverRole: ServerRole?
        var faults: FaultPlan
        var throttle: Throttle
        var dice: Dice
        var counters = Counters()
        var recorder = Recorder()
        var lastConnection = 0
        var observers: [Int: AsyncStream<EmulatorState>.Continuation] = [:]
        var lastObserver = 0
    }

    init(_ configuration: Emulator.Configuration) {
        self.configuration = configuration
        shared = Lock(
            Shared(
                service: KeyService(configuration.seed),
                serverRole: configuration.servesMetadata ? ServerRole(configuration.seed) : nil,
                faults: FaultPlan(configuration.faults),
                throttle: Throttle(requestsPerSecond: configuration.throttlePerSecond),
                dice: configuration.dice))
    }

    // MARK: Connections

    func connectionOpened(socket: Int32) -> Int {
        update { shared in
            shared.lastConnection += 1
            shared.counters.connectionOpened(shared.lastConnection, socket: socket)
            return shared.lastConnection
        }
    }

    func connectionClosed(_ number: Int) {
        update { $0.counters.connectionClosed(number) }
    }

    /// Shuts down idle connections at once, and the others after their current answers.
    func closeIdleConnections() {
        shared.withLock { shared in
            // With the lock held: a socket is closed only after `connectionClosed`, so none of these descriptors is
            // stale.
            for socket in shared.counters.closeIdle() { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    // MARK: Requests

    /// What is decided about a request when its headers arrive.
    struct Plan {
        let service: KeyService
        let faults: FaultPlan.Outcome
    }

    /// Known for every request except control requests.
    struct Schedule {
        /// The sum of latency, jitter, and the delays of faults.
        let delay: Duration
        /// The request's number in the recorder.
        let record: Int
    }

    func controlRequestBegan(on connection: Int) {
        update { $0.counters.controlRequestBegan(on: connection) }
    }

    func requestBegan(on connection: Int, _ head: RequestHead, headers: RecordedHeaders, keyTag: String?) -> (
        Plan, Schedule
    ) {
        let time = configuration.clock.wallClockMilliseconds
        return update { shared in
            let count = shared.counters.requestBegan(on: connection, keyTag: keyTag)
            let faults = shared.faults.outcome(keyTag: keyTag, requestOfConnection: count) { shared.dice.roll() }
            if faults.isFault { shared.counters.requestFaulted() }
            let delay = delay(&shared.dice) + .milliseconds(faults.delayMilliseconds)
            let record = shared.recorder.began(head, headers: headers, faults: faults, wallClockMilliseconds: time)
            return (Plan(service: shared.service, faults: faults), Schedule(delay: delay, record: record))
        }
    }

    /// A request to the metadata service, which never triggers a fault.
    func serverRoleRequestBegan(on connection: Int, _ head: RequestHead, headers: RecordedHeaders) -> Schedule {
        let time = configuration.clock.wallClockMilliseconds
        return update { shared in
            shared.counters.serverRoleRequestBegan(on: connection)
            let delay = delay(&shared.dice)
            let record = shared.recorder.began(
                head, headers: headers, faults: FaultPlan.Outcome(), wallClockMilliseconds: time)
            return Schedule(delay: delay, record: record)
        }
    }

    /// Latency and jitter.
    private func delay(_ dice: inout Dice) -> Duration {
        guard configuration.jitter > .zero else { return configuration.latency }
        return configuration.latency + configuration.jitter * dice.roll()
    }

    /// The request is complete, and answered if there is a status. The body is nil if it was too large.
    func requestArrived(_ record: Int, body: [UInt8]?, status: Int?) {
        shared.withLock { $0.recorder.update(record, body: body, status: status) }
    }

    /// The metadata service's answer; nil if there is no such service.
    func serverRoleAnswer(to head: RequestHead, roleID: String) -> Answer? {
        let time = configuration.clock.wallClockMilliseconds
        return shared.withLock { shared in
            shared.serverRole?.answer(method: head.method, roleID: roleID, wallClockMilliseconds: time)
        }
    }

    /// The service's answer to a complete request.
    func answer(to head: RequestHead, route: Route, body: KeyService.Body, plan: Plan) -> Answer {
        let reply = plan.service.reply(
            to: head, route: route, body: body, wallClockMilliseconds: wallClockMilliseconds(plan)
        ) { keyTag in
            shared.withLock { $0.throttle.admits(keyTag, at: configuration.clock.now) }
        }
        if reply.isAuthenticationFailure || reply.isThrottled {
            update { shared in
                if reply.isAuthenticationFailure { shared.counters.signatureRefused() }
                if reply.isThrottled { shared.counters.requestThrottled() }
            }
        }
        return reply.answer
    }

    /// The emulator's clock as this request sees it, including skew; milliseconds since 1970.
    func wallClockMilliseconds(_ plan: Plan?) -> Int64 {
        configuration.clock.wallClockMilliseconds + (plan?.faults.skewMilliseconds ?? 0)
    }

    func requestEnded(on connection: Int, isAborted: Bool) {
        update { shared in
            guard let socket = shared.counters.requestEnded(on: connection, isAborted: isAborted) else { return }
            shutdown(socket, Int32(SHUT_RDWR))
        }
    }

    // MARK: Control

    var state: EmulatorState { shared.withLock { $0.counters.state } }

    /// The current state, then the state after each change; a slow reader skips to the newest.
    var states: AsyncStream<EmulatorState> {
        let (states, continuation) = AsyncStream.makeStream(
            of: EmulatorState.self, bufferingPolicy: .bufferingNewest(1))
        let number = shared.withLock { shared in
            shared.lastObserver += 1
            shared.observers[shared.lastObserver] = continuation
            continuation.yield(shared.counters.state)
            return shared.lastObserver
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.shared.withLock { $0.observers.removeValue(forKey: number) }
        }
        return states
    }

    /// Changes the counters, and notifies the readers of `states`.
    private func update<Result>(_ change: (inout Shared) -> Result) -> Result {
        shared.withLock { shared in
            let result = change(&shared)
            if !shared.observers.isEmpty {
                // `yield` neither blocks nor runs code of the reader.
                let state = shared.counters.state
                for observer in shared.observers.values { observer.yield(state) }
            }
            return result
        }
    }

    var recorder: Recorder { shared.withLock { $0.recorder } }

    var servesMetadata: Bool { configuration.servesMetadata }

    func setSeed(_ seed: Seed) {
        let service = KeyService(seed)
        shared.withLock { shared in
            shared.service = service
            if configuration.servesMetadata { shared.serverRole = ServerRole(seed) }
        }
    }

    func setFaults(_ faults: [Fault]) {
        shared.withLock { $0.faults = FaultPlan(faults) }
    }

    func setThrottle(requestsPerSecond: Int?) {
        shared.withLock { $0.throttle = Throttle(requestsPerSecond: requestsPerSecond) }
    }

    /// Resets the counters, the recorded requests, faults, dice and throttle to their state at the start. The seed
    /// stays.
    func reset() {
        update { shared in
            shared.counters.reset()
            shared.recorder.reset()
            shared.dice = configuration.dice
            shared.faults = FaultPlan(configuration.faults)
            shared.throttle = Throttle(requestsPerSecond: configuration.throttlePerSecond)
        }
    }
}

/// Counts the requests for each key in windows of one second; the first begins with the key's first request.
struct Throttle: Sendable {
    /// Nil: no limit.
    private(set) var requestsPerSecond: Int?
    private var windows: [String: (start: Instant, count: Int)] = [:]

    init(requestsPerSecond: Int?) {
        self.requestsPerSecond = requestsPerSecond
    }

    /// Whether one more request for the key is within the limit.
    mutating func admits(_ keyTag: String, at now: Instant) -> Bool {
        guard let limit = requestsPerSecond else { return true }
        var window = windows[keyTag] ?? (now, 0)
        if now - window.start >= .seconds(1) { window = (now, 0) }
        window.count += 1
        windows[keyTag] = window
        return window.count <= limit
    }
}
