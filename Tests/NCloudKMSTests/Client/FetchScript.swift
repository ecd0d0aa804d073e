import KMSEmulator
import KMSPlatform
import KMSPublicKeys
import Testing

@testable import NCloudKMS

/// Drives a `FetchMachine` as its owner does, but by hand and in no time. Each event returns the steps that it led to.
///
/// Calls have the names that the test gives them, and fetches are numbered from 1 in their order. What is to be sent
/// counts as sent at once; the test says what comes back. Whatever the test is about, the script checks that an attempt
/// ends once, that no more than allowed are under way, that each has somebody who waits for it, that each call is told
/// once, and that the machine never asks for a time that is over.
final class FetchScript {
    enum Step: Equatable {
        case start(Int)
        case cancel(Int)
        case store
        case note(KMSError.Code)
        case report(String, FetchProgress.Activity)
        case tell(String, Answer)
        /// The shared engine: connect, close the connection, or a command, as `EngineScriptTests` would write it.
        case connect
        case disconnect
        case ask(String)
    }

    enum Answer: Equatable {
        case key(age: Duration = .zero)
        /// From another process.
        case shared(age: Duration)
        case failure(KMSError.Code, String? = nil)
        case timedOut
    }

    /// Noon of some day by the wall clock.
    static let noon: Int64 = 1_767_268_800_000  // Thu, 01 Jan 2026 12:00:00 GMT

    var machine: FetchMachine
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// What calls and `askCredentials` find.
    var credentials = FetchMachine.CredentialAnswer.found(FetchScript.keyPair("A"))
    /// What `askOtherCredentials` finds.
    var others: Credentials?
    /// Why nothing can be sent.
    var signingError: KMSError?
    /// False while the owner is busy: actions wait.
    var carriesOut = true
    /// False while the owner has no time to send: attempts wait for `sendNext`.
    var sendsAtOnce = true
    /// What a failure is reported with.
    var context = ""

    private var calls: [String: CallID] = [:]
    private var fetches: [FetchID] = []
    private var numbers: [FetchID: Int] = [:]
    private(set) var underWay: Set<Int> = []
    /// Those whose answer came when the machine had given them up, and its owner did not know yet.
    private var crossed: Set<Int> = []
    /// What the last attempt of each fetch was sent with.
    private(set) var departures: [Int: FetchMachine.Departure] = [:]
    private(set) var outcomes: [String: FetchMachine.Outcome] = [:]
    private(set) var stored: [(fetched: FetchedKey, identity: CredentialIdentity, fetchStart: Instant)] = []
    private(set) var refused: [CredentialIdentity] = []
    private(set) var log: [(event: FetchEvent, fetch: FetchDescription)] = []
    /// The commands to the shared engine that were not answered, and what was logged about it; see `EngineEnd`.
    var engine = EngineEnd()

    /// - Parameter random: 0 is no delay before a repeat, and nearly 1 the longest.
    init(
        timeToLive: Duration = .seconds(300), ratePerKey: Int = 0, totalRate: Int = 0, connections: Int = 32,
        attempts: Int = 3, correctsClock: Bool = true, sharesKeys: SharedStateConfiguration.Keys? = nil,
        random: @escaping @Sendable () -> Double = { 0 }
    ) {
        machine = FetchMachine(
            FetchMachine.Configuration(
                timeToLive: timeToLive, ratePerKey: ratePerKey, totalRate: totalRate, maximumConnections: connections,
                maximumAttempts: attempts, correctsClock: correctsClock,
                shared: sharesKeys.map {
                    EngineEnd.configuration($0, timeToLive: timeToLive, ratePerKey: ratePerKey, random: random)
                },
                random: random),
            now: now)
    }

    // MARK: Events

    /// - Parameter waited: how long ago it arrived.
    @discardableResult
    func call(
        _ name: String, key: String = "k", version: Int? = nil, maxAge: Duration? = nil,
        timeout: Duration = .seconds(30), waited: Duration = .zero, isLabelled: Bool = true,
        wantsProgress: Bool = false
    ) -> [Step] {
        let request = Self.request(key, version)
        let query = PublicKeyQuery(
            keyTag: request.keyTag, version: request.version, maxAge: maxAge, timeout: timeout)
        let arrival = Instant(nanoseconds: now.nanoseconds - waited.nanoseconds)
        let report: FetchProgress.Handler = { _ in }
        let call = WaitingCall(
            query, arrival: arrival, label: isLabelled ? name : nil, progress: wantsProgress ? report : nil
        ) { _ in }
        let id = machine.call(call, credentials, now: now)
        calls[name] = id
        if let fetch = machine.calls[id]?.fetch { _ = number(fetch) }
        return carryOut()
    }

    @discardableResult
    func refresh(key: String = "k", version: Int? = nil) -> [Step] {
        machine.refresh(Self.request(key, version), credentials, now: now)
        return carryOut()
    }

    func cancel(_ name: String) -> [Step] {
        if let call = calls[name] { machine.cancel(call, now: now) }
        return carryOut()
    }

    @discardableResult
    func respond(_ fetch: Int, _ reply: Reply) -> [Step] {
        guard underWay.remove(fetch) != nil else {
            fault("no attempt of \(fetch) is under way")
            return []
        }
        if machine.fetches[fetches[fetch - 1]] == nil { crossed.insert(fetch) }
        machine.responded(fetches[fetch - 1], reply.outcome(noon: Self.noon, now: now), now: now)
        return carryOut()
    }

    /// The metadata service has answered.
    func credentialsArrive(_ answer: FetchMachine.CredentialAnswer) -> [Step] {
        credentials = answer
        machine.credentialsMayBeThere()
        return carryOut()
    }

    func shutDown() -> [Step] {
        machine.shutDown(now: now)
        return carryOut()
    }

    /// Lets time pass, and calls `due` when the machine wants it.
    @discardableResult
    func advance(by duration: Duration) -> [Step] {
        let end = now + duration
        var steps = carryOut()
        while let due = machine.nextDue(now: now), due <= end {
            now = max(now, due)
            steps += fire()
            if let next = machine.nextDue(now: now), next <= now {
                fault("the machine does not let its owner sleep")
                break
            }
        }
        now = end
        return steps
    }

    /// As `advance`, but its owner is late: `due` is called at the end alone.
    func oversleep(for duration: Duration) -> [Step] {
        now = now + duration
        return fire()
    }

    private func fire() -> [Step] {
        machine.due(now: now)
        return carryOut()
    }

    /// Lets time pass while its owner does something else.
    func delay(by duration: Duration) { now = now + duration }

    // MARK: Actions

    func carryOut() -> [Step] {
        var steps: [Step] = []
        while carriesOut {
            steps += act()
            guard sendsAtOnce, let step = send() else { break }
            steps.append(step)
        }
        return steps
    }

    /// The owner has the time for one attempt.
    @discardableResult
    func sendNext() -> [Step] {
        guard carriesOut, let step = send() else { return [] }
        return [step] + carryOut()
    }

    private func send() -> Step? {
        guard let departure = machine.nextDeparture(now: now) else { return nil }
        start(departure)
        return .start(number(departure.fetch))
    }

    private func act() -> [Step] {
        var steps: [Step] = []
        while let action = machine.nextAction() {
            switch action {
            case .askCredentials(let id):
                machine.credentials(credentials, for: id, now: now)
            case .askOtherCredentials(let id, let identity):
                refused.append(identity)
                machine.otherCredentials(others, for: id, now: now)
            case .cancel(let id):
                if underWay.remove(number(id)) == nil, crossed.remove(number(id)) == nil {
                    fault("no attempt of \(number(id)) is under way")
                }
                steps.append(.cancel(number(id)))
            case .store(let fetched, let key, let start):
                stored.append((fetched, key.identity, start))
                steps.append(.store)
            case .noteFailure(let code, _, _):
                steps.append(.note(code))
            case .report(let call, let progress):
                steps.append(.report(call.label ?? "-", progress.activity))
            case .tell(let call, let outcome):
                let name = call.label ?? "-"
                if call.label != nil, outcomes.updateValue(outcome, forKey: name) != nil {
                    fault("\(name) is told twice")
                }
                steps.append(.tell(name, Answer(outcome)))
            case .log(let event, let fetch):
                log.append((event, fetch))
            case .engine(let request):
                if let step = engine.take(request) { steps.append(step) }
            }
        }
        return steps
    }

    private func start(_ departure: FetchMachine.Departure) {
        let id = departure.fetch
        if machine.fetches[id]?.waiters.isEmpty ?? true { fault("nobody waits for \(number(id))") }
        departures[number(id)] = departure
        if let signingError { return machine.notStarted(id, signingError, now: now) }
        machine.started(departure, now: now)
        if !underWay.insert(number(id)).inserted { fault("two attempts of \(number(id)) are under way") }
        if underWay.count > machine.configuration.maximumConnections { fault("too many attempts are under way") }
    }

    func fault(_ text: String) { Issue.record("\(context)\(text)") }

    private func number(_ id: FetchID) -> Int {
        if let number = numbers[id] { return number }
        fetches.append(id)
        numbers[id] = fetches.count
        return fetches.count
    }

    // MARK: What came of it

    /// The error that a call was told.
    func error(_ name: String) -> KMSError? {
        if case .failure(let error) = outcomes[name] { error } else { nil }
    }

    var quota: Int { machine.quotaStatus(now: now).available }

    static func keyPair(_ name: String) -> Credentials {
        valid { try Credentials(accessKeyID: "ACCESS-\(name)", secretAccessKey: SecretBytes("SECRET".utf8)) }
    }

    static func request(_ key: String, _ version: Int?) -> PublicKeyRequest {
        valid { PublicKeyRequest(keyTag: try KeyTag(key), version: try version.map { try KeyVersion($0) }) }
    }
}

/// What a test wrote itself.
private func valid<Value>(_ make: () throws -> Value) -> Value {
    do { return try make() } catch { preconditionFailure("\(error)") }
}

extension FetchScript.Answer {
    fileprivate init(_ outcome: FetchMachine.Outcome) {
        self =
            switch outcome {
            case .key(_, .shared, let age): .shared(age: age)
            case .key(_, _, let age): .key(age: age)
            case .failure(let error): .failure(error.code, error.reason)
            case .timedOut: .timedOut
            }
    }
}

/// What comes back for an attempt.
struct Reply {
    private var result: Result<PublicKey, AttemptFailure>
    /// Zero if nothing came back.
    private var status: Int
    private var headers = HTTPResponse.Headers()
    /// The service's clock minus ours, where the answer says it.
    private var clock: Duration?

    private init(_ failure: AttemptFailure, status: Int) {
        result = .failure(failure)
        self.status = status
    }

    static func key(clock: Duration? = nil) -> Reply {
        var reply = Reply(AttemptFailure(error: .cancelled, repetition: .never), status: 200)
        reply.result = .success(demoKey)
        reply.headers.requestID = "request-1"
        reply.clock = clock
        return reply
    }

    static func failure(
        _ code: KMSError.Code, status: Int, _ repetition: Repetition = .never, retryAfter: String? = nil
    ) -> Reply {
        var reply = Reply(
            AttemptFailure(error: .service(code, status: status), repetition: repetition), status: status)
        reply.headers.retryAfter = retryAfter
        return reply
    }

    static func unavailable(retryAfter: String? = nil) -> Reply {
        failure(.serviceUnavailable, status: 503, .afterBackoff, retryAfter: retryAfter)
    }

    static func throttled(retryAfter: String? = nil) -> Reply {
        failure(.rateLimited, status: 429, .afterThrottling, retryAfter: retryAfter)
    }

    static var damaged: Reply { failure(.invalidServiceResponse, status: 200, .once) }
    static var gone: Reply { failure(.keyNotFound, status: 404) }

    static func refused(clock: Duration? = nil, age: String? = nil) -> Reply {
        var reply = failure(.authenticationFailed, status: 401, .afterReauthentication)
        reply.clock = clock
        reply.headers.age = age
        return reply
    }

    /// A kept connection turned out to be dead.
    static var deadConnection: Reply {
        Reply(
            AttemptFailure(
                error: KMSError(.serviceUnavailable, "The connection was lost."), repetition: .afterBackoff,
                needsNewConnection: true), status: 0)
    }

    /// The process could open no connection.
    static var noDescriptor: Reply {
        Reply(
            AttemptFailure(
                error: KMSError(.serviceUnavailable, "No descriptor is left."), repetition: .afterBackoff,
                hadNoDescriptor: true), status: 0)
    }

    func outcome(noon: Int64, now: Instant) -> AttemptOutcome {
        guard status > 0 else { return AttemptOutcome(result: result, response: nil) }
        var headers = headers
        headers.date = clock.map(Self.date)
        return AttemptOutcome(
            result: result,
            response: HTTPResponse(
                status: status, headers: headers, body: [], sent: now,
                received: HTTPResponse.Moment(instant: now, wallClockMilliseconds: noon),
                timing: HTTPResponse.Timing(), reusedConnection: false))
    }

    /// The time so much after noon, or before, of the same day.
    private static func date(_ clock: Duration) -> String {
        let seconds = Int(12 * 3_600 + clock.milliseconds / 1_000)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "Thu, 01 Jan 2026 \(two(seconds / 3_600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)) GMT"
    }

    static let demoKey: PublicKey = {
        let pem = Seed.demo.keys[0].versions[0].publicKey ?? ""
        return valid { try PublicKey(pem: Array(pem.utf8)) }
    }()
}
