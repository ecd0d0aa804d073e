import Platform

/// All that requests, control requests and the owner of an emulator share. Each lock is held for a few look-ups, never
/// over I/O or cryptography.
final class EmulatorCore: Sendable {
    private let configuration: Emulator.Configuration
    private let shared: Lock<Shared>

    private struct Shared {
        var service: KeyService
        /// Nil: there is no metadata service.
        var serverRole: ServerRole?
        var faults: FaultPlan
        var throttle: Throttle
        var dice: Dice
        var counters = Counters()
        var recorder = Recorder()
        var lastConnection = 0
    }

    init(_ configuration: Emulator.Configuration) {
        self.configuration = configuration
        shared = Lock(
            Shared(
                service: KeyService(directory: Directory(configuration.seed)),
                serverRole: configuration.servesMetadata ? ServerRole(configuration.seed) : nil,
                faults: FaultPlan(configuration.faults),
                throttle: Throttle(requestsPerSecond: configuration.throttlePerSecond),
                dice: configuration.dice))
    }

    // MARK: Connections

    func connectionOpened(socket: Int32) -> Int {
        shared.withLock { shared in
            shared.lastConnection += 1
            shared.counters.connectionOpened(shared.lastConnection, socket: socket)
            return shared.lastConnection
        }
    }

    func connectionClosed(_ number: Int) {
        shared.withLock { $0.counters.connectionClosed(number) }
    }

    /// Ends every connection that is between two requests, and the others after the answers that are under way.
    func closeIdleConnections() {
        shared.withLock { shared in
            // Under the lock: a socket is closed after `connectionClosed` only, so none of these numbers is stale.
            for socket in shared.counters.closeIdle() { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    // MARK: Requests

    /// What is decided about a request when its headers are there.
    struct Plan {
        let service: KeyService
        let faults: FaultPlan.Outcome
    }

    /// What every request has but a control request.
    struct Schedule {
        /// Latency and jitter, with the delays among the faults.
        let delay: Duration
        /// The request's number in the recorder.
        let record: Int
    }

    func controlRequestBegan(on connection: Int) {
        shared.withLock { $0.counters.controlRequestBegan(on: connection) }
    }

    func requestBegan(on connection: Int, _ head: RequestHead, headers: RecordedHeaders, keyTag: String?) -> (
        Plan, Schedule
    ) {
        let time = configuration.clock.wallClockMilliseconds
        return shared.withLock { shared in
            let count = shared.counters.requestBegan(on: connection, keyTag: keyTag)
            let faults = shared.faults.outcome(keyTag: keyTag, requestOfConnection: count) { shared.dice.roll() }
            if faults.isFault { shared.counters.requestFaulted() }
            let delay = delay(&shared.dice) + .milliseconds(faults.delayMilliseconds)
            let record = shared.recorder.began(head, headers: headers, faults: faults, wallClockMilliseconds: time)
            return (Plan(service: shared.service, faults: faults), Schedule(delay: delay, record: record))
        }
    }

    /// A request to the metadata service, which no fault befalls.
    func serverRoleRequestBegan(on connection: Int, _ head: RequestHead, headers: RecordedHeaders) -> Schedule {
        let time = configuration.clock.wallClockMilliseconds
        return shared.withLock { shared in
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

    /// The request is whole, and has been answered if there is a status. The body is nil when it was too large.
    func requestArrived(_ record: Int, body: [UInt8]?, status: Int?) {
        shared.withLock { $0.recorder.update(record, body: body, status: status) }
    }

    /// The metadata service's answer; nil where there is no such service.
    func serverRoleAnswer(to head: RequestHead, roleID: String) -> Answer? {
        let time = configuration.clock.wallClockMilliseconds
        return shared.withLock { shared in
            shared.serverRole?.answer(method: head.method, roleID: roleID, wallClockMilliseconds: time)
        }
    }

    /// The service's answer, at the end of the request's body.
    func answer(to head: RequestHead, route: Route, body: KeyService.Body, plan: Plan) -> Answer {
        let reply = plan.service.reply(
            to: head, route: route, body: body, wallClockMilliseconds: wallClockMilliseconds(plan)
        ) { keyTag in
            shared.withLock { $0.throttle.admits(keyTag, at: configuration.clock.now) }
        }
        if reply.isAuthenticationFailure || reply.isThrottled {
            shared.withLock { shared in
                if reply.isAuthenticationFailure { shared.counters.signatureRefused() }
                if reply.isThrottled { shared.counters.requestThrottled() }
            }
        }
        return reply.answer
    }

    /// The emulator's clock as the request sees it, skewed or not; milliseconds since 1970.
    func wallClockMilliseconds(_ plan: Plan?) -> Int64 {
        configuration.clock.wallClockMilliseconds + (plan?.faults.skewMilliseconds ?? 0)
    }

    func requestEnded(on connection: Int, isAborted: Bool) {
        shared.withLock { shared in
            guard let socket = shared.counters.requestEnded(on: connection, isAborted: isAborted) else { return }
            shutdown(socket, Int32(SHUT_RDWR))
        }
    }

    // MARK: Control

    var state: EmulatorState { shared.withLock { $0.counters.state } }

    var recorder: Recorder { shared.withLock { $0.recorder } }

    var servesMetadata: Bool { configuration.servesMetadata }

    func setSeed(_ seed: Seed) {
        let service = KeyService(directory: Directory(seed))
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

    /// Counters to zero, no requests recorded; faults, dice and throttle as they were at the start. The seed stays.
    func reset() {
        shared.withLock { shared in
            shared.counters.reset()
            shared.recorder.reset()
            shared.dice = configuration.dice
            shared.faults = FaultPlan(configuration.faults)
            shared.throttle = Throttle(requestsPerSecond: configuration.throttlePerSecond)
        }
    }
}
