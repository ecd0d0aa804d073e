import KMSPlatform
import KMSTestSupport

extension ModelSession {
    /// The session of a seed: the same seed makes the same session.
    static func random(seed: UInt64) -> ModelSession {
        var generator = ModelGenerator(seed: seed)
        return generator.make()
    }
}

/// Makes a session, message by message, and keeps its expectations up to date.
struct ModelGenerator {
    private var session: ModelSession
    private var requests: ModelRequests
    private var dialect = Dialect.plain
    /// What was made and not sent.
    private var pending: [UInt8] = []
    private var hostileNumber = 1_000_001
    private var awaited = 0
    /// The expectations whose requests are known to have been read.
    private var readCount = 0
    private var hasStarted = false

    private enum Dialect: CaseIterable {
        case plain, editor, session, envelopes, mixed
    }

    init(seed: UInt64) {
        session = ModelSession(seed: seed)
        requests = ModelRequests(seed: seed)
    }

    mutating func make() -> ModelSession {
        choose()
        if dialect == .editor || dialect == .mixed { add(requests.editorHandshake()) }
        if dialect == .session || dialect == .mixed && requests.chance(50) { add(requests.toolHandshake()) }
        // The first message decides the form of the frames, and the start of the stream has rules of its own.
        if !hasStarted { add(requests.plainRequest()) }
        // A signal that comes before `main` ends any program.
        if session.isCutShort { awaitAnswer() }
        for _ in 0..<Int.random(in: 3...25, using: &requests.random) { addStep() }
        end()
        return session
    }

    // MARK: Choices

    private mutating func choose() {
        dialect = requests.oneOf(Dialect.allCases)
        session.usesHeaders = requests.chance(dialect == .editor ? 90 : 25)
        session.transport = requests.oneOf(ModelSession.Transport.allCases)
        session.usesTLS = requests.chance(20)
        session.ending = ending()
        if endsWithCallsInFlight, requests.chance(40) {
            requests.isSilent = true
            session.faults = [ModelFault.silence.spec]
        } else {
            if requests.chance(50) { requests.shortLimit = 250 }
            let faults = ModelFault.random(hasShortLimit: requests.shortLimit != nil, &requests.random)
            session.faults = faults.map(\.spec)
            requests.faultCodes = faults.reduce(into: []) { $0.formUnion($1.codes) }
        }
        chooseEngine()
        chooseArguments()
    }

    private mutating func chooseEngine() {
        session.engine = requests.chance(20) ? requests.oneOf([.running, .silent, .absent]) : .none
        session.sharesKeys = requests.chance(50)
        guard session.engine == .silent || session.engine == .absent else { return }
        // One request per second is left, so calls without a short limit would take many seconds.
        if requests.isSilent {
            session.engine = .running
        } else {
            requests.shortLimit = 250
        }
    }

    private mutating func chooseArguments() {
        // At that limit a silent service would hold up everything behind its calls.
        if !requests.isSilent, requests.chance(25) {
            session.arguments += ["--max-in-flight", requests.oneOf(["1", "2", "5"])]
        }
        if requests.chance(20) { session.arguments += ["--cache-ttl", "0"] }
        if requests.chance(20) { session.arguments += ["--max-batch", "4"] }
        if requests.chance(20) { session.arguments += ["--max-message-bytes", "30000"] }
        if requests.chance(40) {
            session.arguments += ["--log-level", requests.oneOf(["trace", "debug", "warning", "error"])]
        }
        if requests.chance(25) { session.arguments += ["--log-format", "text"] }
        if requests.chance(20) { session.arguments += ["--framing", session.usesHeaders ? "headers" : "lines"] }
    }

    private mutating func ending() -> ModelSession.Ending {
        let signals = [SIGTERM, SIGINT, SIGHUP]
        switch Int.random(in: 0..<100, using: &requests.random) {
        case 0..<45: return .endOfInput
        case 45..<53: return session.usesHeaders ? .invalidFrame : .endOfInput
        case 53..<70: return .exit(closesInput: requests.chance(50))
        case 70..<72: return .shutdown
        case 72..<84: return .signal(requests.oneOf(signals))
        case 84..<88: return .signals(requests.oneOf(signals), requests.oneOf(signals))
        case 88..<93: return .endOfParent
        default:
            // The other half of the socket would stay open.
            return session.transport == .oneSocket ? .endOfInput : .closedOutput
        }
    }

    private var endsWithCallsInFlight: Bool {
        switch session.ending {
        case .exit, .signal, .signals, .endOfParent, .closedOutput: true
        case .endOfInput, .invalidFrame, .shutdown: false
        }
    }

    // MARK: Steps

    private mutating func addStep() {
        switch Int.random(in: 0..<100, using: &requests.random) {
        case 0..<58: add(message())
        case 58..<63: addCancelledCall()
        case 63..<73: addBatch()
        case 73..<85: addHostile()
        case 85..<88: addTooLong()
        case 88..<90: addFlood()
        case 90..<94: awaitAnswer()
        default:
            flush()
            session.steps.append(.stopReading)
        }
    }

    private mutating func message() -> ModelRequests.Message {
        let kind = Int.random(in: 0..<100, using: &requests.random)
        if kind < 10 { return requests.notification() }
        if kind < 18 { return requests.cancel() }
        let isModern = dialect == .envelopes || dialect == .mixed && requests.chance(50)
        let isTool =
            [.session, .envelopes].contains(dialect) ? requests.chance(75) : dialect == .mixed && requests.chance(50)
        if isTool {
            return kind < 65 ? requests.toolCall(isModern: isModern) : requests.toolRequest(isModern: isModern)
        }
        return kind < 65 ? requests.plainCall() : requests.plainRequest()
    }

    private mutating func addCancelledCall() {
        let isTool = dialect == .envelopes
        add(isTool ? requests.toolCall(isModern: true) : requests.plainCall())
        if let cancel = requests.cancelOfLast(isTool: isTool) { add(cancel) }
    }

    private var maximumBatchCount: Int { session.value(of: "--max-batch").flatMap { Int($0) } ?? 1_000 }

    private mutating func addBatch() {
        let count = Int.random(in: 0...8, using: &requests.random)
        guard count > 0, count <= maximumBatchCount else {
            let members = [String](repeating: Lines.probe(1), count: count)
            return addRefused(Array("[\(members.joined(separator: ","))]".utf8), -32600)
        }
        var texts: [String] = []
        var expectation = ModelExpectation(isBatch: true, answers: [])
        for _ in 0..<count {
            if requests.chance(8) {
                texts.append(requests.oneOf(["1", "{}", "[]", #"{"jsonrpc":"2.0"}"#]))
                expectation.answers.append(ModelAnswer(id: "null", allowed: [.error(-32600)]))
                continue
            }
            let message = message()
            texts.append(message.json)
            if let answer = message.answer { expectation.answers.append(answer) }
            if let cancels = message.cancels {
                Self.cancel(cancels, &expectation)
                cancelEarlier(cancels)
            }
        }
        if !expectation.answers.isEmpty { session.expectations.append(expectation) }
        frame(Array("[\(texts.joined(separator: requests.oneOf([",", " , "])))]".utf8))
    }

    private mutating func addHostile() {
        repeat { hostileNumber += 1 } while hostileNumber.isMultiple(of: 250)
        let line = HostileLine.random(hostileNumber, &requests.random)
        switch line.expectation {
        case .nothing:
            // A body of white space is not a blank line.
            if session.usesHeaders { return }
        case .error(let code, let id):
            session.expectations.append(
                ModelExpectation(isBatch: false, answers: [ModelAnswer(id: id, allowed: [.error(code)])]))
        case .errors(let codes) where codes.count > maximumBatchCount:
            return addRefused(line.bytes, -32600)
        case .errors(let codes):
            session.expectations.append(
                ModelExpectation(isBatch: true, answers: codes.map { ModelAnswer(id: nil, allowed: [.error($0)]) }))
        }
        frame(line.bytes)
    }

    private mutating func addTooLong() {
        guard let limit = session.value(of: "--max-message-bytes").flatMap({ Int($0) }) else { return }
        // A CR at its end may not count.
        let count = limit + 2 + Int.random(in: 0...100, using: &requests.random)
        addRefused([UInt8](repeating: UInt8(ascii: "x"), count: count), -32600)
    }

    private mutating func addRefused(_ message: [UInt8], _ code: Int) {
        session.expectations.append(
            ModelExpectation(isBatch: false, answers: [ModelAnswer(id: "null", allowed: [.error(code)])]))
        frame(message)
    }

    /// Many messages in a row: more than a pipe holds of the answers.
    private mutating func addFlood() {
        let isNotified = requests.chance(30)
        for _ in 0..<(isNotified ? 300 : 150) { add(isNotified ? requests.notification() : requests.plainRequest()) }
    }

    private mutating func awaitAnswer() {
        awaited += 1
        let id = "\"await \(awaited)\""
        frame(Array(Lines.request(id, "getStatus").utf8))
        session.expectations.append(
            ModelExpectation(isBatch: false, answers: [ModelAnswer(id: id, allowed: [.result(.status)])]))
        flush()
        session.steps.append(.awaitAnswer(to: id))
        readCount = session.expectations.count
    }

    // MARK: Expectations

    private mutating func add(_ message: ModelRequests.Message) {
        if let cancels = message.cancels { cancelEarlier(cancels) }
        if let answer = message.answer {
            session.expectations.append(ModelExpectation(isBatch: false, answers: [answer]))
        }
        frame(Array(message.json.utf8))
    }

    private mutating func cancelEarlier(_ cancels: (key: String, isTool: Bool)) {
        for index in session.expectations.indices { Self.cancel(cancels, &session.expectations[index]) }
    }

    private static func cancel(_ cancels: (key: String, isTool: Bool), _ expectation: inout ModelExpectation) {
        for index in expectation.answers.indices {
            let answer = expectation.answers[index]
            guard answer.isCall, answer.key == cancels.key, answer.isTool == cancels.isTool else { continue }
            if answer.isTool {
                expectation.answers[index].isRequired = false
            } else {
                expectation.answers[index].allowed.insert(.error(-32800))
            }
        }
    }

    // MARK: Bytes

    private mutating func frame(_ message: [UInt8]) {
        if session.usesHeaders {
            let length =
                requests.oneOf(["Content-Length: ", "content-length:", "Content-length:  "]) + "\(message.count)"
            let type = "Content-Type: application/vscode-jsonrpc; charset=utf-8"
            let headers = requests.oneOf([[length], [length], [length, type], [type, length]])
            let newline = requests.oneOf(["\r\n", "\r\n", "\n"])
            pending += Array((headers.joined(separator: newline) + newline + newline).utf8) + message
        } else {
            // Blank lines are nothing.
            if requests.chance(3) { pending += Array(" \n".utf8) }
            pending += message + Array(requests.oneOf(["\n", "\n", "\r\n"]).utf8)
        }
        hasStarted = true
        // What comes after `shutdown` comes at once, or it may end before.
        if !requests.isShutDown, requests.chance(40) { flush() }
    }

    /// Sends what is pending, in one write or in two that are cut anywhere.
    private mutating func flush() {
        guard !pending.isEmpty else { return }
        let middle = requests.chance(30) ? Int.random(in: 1...pending.count, using: &requests.random) : pending.count
        session.steps.append(.send(Array(pending[..<middle])))
        if middle < pending.count { session.steps.append(.send(Array(pending[middle...]))) }
        pending = []
    }

    // MARK: The end

    private mutating func end() {
        switch session.ending {
        case .endOfInput: endInput()
        case .invalidFrame:
            let frame = requests.oneOf([
                "Content-Length: x\r\n\r\n", "nonsense\r\n\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            ])
            addInvalid(frame)
        case .exit:
            if requests.chance(30) { addShutdown() }
            pending += framed(#"{"jsonrpc":"2.0","method":"exit"}"#)
            // Nobody reads these.
            for _ in 0..<Int.random(in: 0...2, using: &requests.random) { pending += framed(Lines.probe(1)) }
            loosen { answers in
                if answers.contains(where: \.isCall) {
                    for index in answers.indices { answers[index].isRequired = false }
                }
            }
        case .shutdown: addShutdown()
        case .signal, .endOfParent:
            if requests.chance(70) { awaitAnswer() }
            endWithSignal()
        case .signals, .closedOutput:
            loosen { answers in
                for index in answers.indices {
                    answers[index].isRequired = false
                    answers[index].allowed.insert(.error(1012))
                }
            }
        }
        flush()
    }

    private mutating func endInput() {
        let kind = Int.random(in: 0..<100, using: &requests.random)
        if kind < 15 {
            addShutdown()
        } else if kind < 30, session.usesHeaders {
            addInvalid("Content-Length: 100\r\n\r\n{\"jsonrpc\"")
        } else if kind < 45, !session.usesHeaders {
            // The last line may lack its end.
            flush()
            let message = requests.plainCall()
            if let answer = message.answer {
                session.expectations.append(ModelExpectation(isBatch: false, answers: [answer]))
            }
            pending += Array(message.json.utf8)
        }
    }

    private mutating func addInvalid(_ frame: String) {
        session.expectations.append(
            ModelExpectation(isBatch: false, answers: [ModelAnswer(id: "null", allowed: [.error(-32700)])]))
        pending += Array(frame.utf8)
    }

    private mutating func addShutdown() {
        flush()
        add(requests.shutdown())
        for _ in 0..<Int.random(in: 0...4, using: &requests.random) { add(message()) }
    }

    private func framed(_ message: String) -> [UInt8] {
        Array(
            session.usesHeaders ? "Content-Length: \(message.utf8.count)\r\n\r\n\(message)".utf8 : "\(message)\n".utf8)
    }

    /// What has been read is finished or refused, tool calls excepted; what has not may get no answer. A client that does
    /// not read loses what does not fit.
    private mutating func endWithSignal() {
        if requests.chance(20), session.transport == .pipes {
            flush()
            session.steps.append(.stopReading)
        }
        let isStalled = session.steps.lastIndex(of: .stopReading).map { stop in
            !session.steps[stop...].contains { if case .awaitAnswer = $0 { true } else { false } }
        }
        let lost = isStalled == true || session.transport == .smallPipe
        for number in session.expectations.indices {
            let isRead = number < readCount && !lost
            for index in session.expectations[number].answers.indices {
                let answer = session.expectations[number].answers[index]
                if answer.isCall || !isRead { session.expectations[number].answers[index].allowed.insert(.error(1012)) }
                if !isRead || answer.isTool { session.expectations[number].answers[index].isRequired = false }
            }
        }
    }

    private mutating func loosen(_ change: (inout [ModelAnswer]) -> Void) {
        for index in session.expectations.indices { change(&session.expectations[index].answers) }
    }
}
