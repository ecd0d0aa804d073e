import KMSPlatform
import Testing

@testable import NCloudKMS

/// The shared engine's end of a `FetchScript`: remembers what the machine asked; the test says what is answered.
struct EngineEnd {
    static let baseURL = "https://example.com"

    /// Not answered yet, in order.
    private(set) var questions: [(id: EngineDialogue.QuestionID, words: [String])] = []
    private(set) var isOpen = false
    private(set) var log: [SharedEvent] = []

    static func configuration(
        _ keys: SharedStateConfiguration.Keys, timeToLive: Duration, ratePerKey: Int,
        random: @escaping @Sendable () -> Double
    ) -> SharedState.Configuration {
        // Each fetch has its own, and the same each time.
        let markers = Lock(0)
        return SharedState.Configuration(
            keys: keys, prefix: "nkms", url: "unix:///engine", baseURL: baseURL, ratePerKey: ratePerKey,
            timeToLive: timeToLive, macSecret: SecretBytes("mac"),
            marker: {
                let number = markers.withLock { number in
                    number += 1
                    return String(number)
                }
                return String(repeating: "0", count: 32 - number.count) + number
            }, random: random)
    }

    mutating func take(_ request: EngineDialogue.Request) -> FetchScript.Step? {
        switch request {
        case .connect:
            if isOpen { Issue.record("the connection is open") }
            isOpen = true
            return .connect
        case .close:
            isOpen = false
            questions = []
            return .disconnect
        case .send(let id, let command):
            let words = Self.words(of: command)
            questions.append((id, words))
            return .ask(Self.description(of: words))
        case .log(let event):
            log.append(event)
            return nil
        }
    }

    mutating func lost() {
        isOpen = false
        questions = []
    }

    /// The oldest question that was not answered.
    mutating func next() -> (id: EngineDialogue.QuestionID, words: [String])? {
        questions.isEmpty ? nil : questions.removeFirst()
    }

    private static func words(of command: EngineCommand) -> [String] {
        command.withFormatted { bytes in
            // RESP: an array of strings, each after its length.
            var words: [String] = []
            var rest = bytes[...]
            func line() -> Int {
                let end = rest.firstIndex(of: UInt8(ascii: "\r")) ?? rest.endIndex
                let number = Int(String(decoding: rest[rest.startIndex + 1..<end], as: UTF8.self)) ?? 0
                rest = rest[(end + 2)...]
                return number
            }
            for _ in 0..<line() {
                let count = line()
                words.append(String(decoding: rest.prefix(count), as: UTF8.self))
                rest = rest.dropFirst(count + 2)
            }
            return words
        }
    }

    /// `budget 300000 1 30000000 0`, `flight ask`, `flight refuse 1`, `TIME`, `GET k`.
    private static func description(of words: [String]) -> String {
        guard words.count > 4, words[0] == "EVALSHA" else {
            return words.map { $0.hasPrefix("nkms:") ? String($0.dropFirst(7).prefix(1)) : $0 }.joined(separator: " ")
        }
        if words[1] == String(decoding: EngineScript.budget.sha1, as: UTF8.self) {
            return (["budget"] + words[4...]).joined(separator: " ")
        }
        return words[5] == "refuse" ? "flight refuse \(words[7])" : "flight \(words[5])"
    }
}

extension FetchScript {
    @discardableResult
    func engineConnects() -> [Step] {
        machine.engineConnected(now: now)
        return carryOut()
    }

    @discardableResult
    func engineIsLost(_ kind: EngineLoss.Kind = .unreachable) -> [Step] {
        engine.lost()
        machine.engineLost(EngineLoss(kind: kind, message: "the engine is lost"), now: now)
        return carryOut()
    }

    /// Answers the oldest question.
    ///
    /// - Parameter clock: the engine's clock minus ours.
    @discardableResult
    func engineAnswers(_ reply: EngineReply) -> [Step] {
        guard let question = engine.next() else {
            fault("the engine was not asked")
            return []
        }
        if let loss = machine.engineReplied(question.id, reply, now: now, wallClock: Self.noon) {
            engine.lost()
            machine.engineLost(loss, now: now)
        }
        return carryOut()
    }

    @discardableResult
    func engineGrants(_ count: Int, first: Duration = .zero) -> [Step] {
        engineAnswers(
            .array([
                .integer(Int64(count)), .integer(first.nanoseconds / 1_000), .integer(3_334), .integer(300_000),
                .integer(0),
            ]))
    }

    /// - Parameter clock: the engine's clock minus ours.
    @discardableResult
    func engineSays(_ word: String, _ entry: [UInt8]? = nil, clock: Duration = .zero) -> [Step] {
        engineAnswers(
            .array(
                [.bytes(Array(word.utf8)), .integer((Self.noon + clock.milliseconds) * 1_000)]
                    + (entry.map { [.bytes($0)] } ?? [])))
    }

    /// An entry for a key that was fetched some time ago.
    static func entry(
        age: Duration, key: String = "k", pem: [UInt8] = Reply.demoKey.pem, mac: String = "mac"
    ) throws -> [UInt8] {
        let seal = try SharedSeal(secret: SecretBytes(mac), baseURL: EngineEnd.baseURL)
        let entry = SharedEntry(
            startedAt: noon - age.milliseconds, attempts: 1, requestID: "request-1", pem: pem)
        return try #require(entry.text(for: request(key, nil), seal))
    }
}
