import KMSJSON
import KMSTestSupport
import Testing

/// The model by itself, without a process.
@Suite struct ModelValueTests {
    private static let sessions = (0..<UInt64(500)).map(ModelSession.random)

    // MARK: The generator

    @Test func `a seed makes the same session again, and another seed another one`() {
        for session in Self.sessions.prefix(50) {
            let again = ModelSession.random(seed: session.seed)
            #expect(again.steps == session.steps && again.arguments == session.arguments)
            #expect(again.faults == session.faults && again.ending == session.ending)
        }
        #expect(Set(Self.sessions.map(\.input)).count == Self.sessions.count)
    }

    @Test func `there are sessions of every kind`() {
        for transport in ModelSession.Transport.allCases {
            #expect(Self.sessions.contains { $0.transport == transport && $0.usesHeaders })
            #expect(Self.sessions.contains { $0.transport == transport && !$0.usesHeaders })
        }
        let endings = Set(Self.sessions.map { "\($0.ending)".prefix { $0 != "(" } })
        #expect(
            endings == [
                "endOfInput", "invalidFrame", "exit", "shutdown", "signal", "signals", "endOfParent", "closedOutput",
            ])
        #expect(Self.sessions.contains { $0.steps.contains(.stopReading) })
        for engine in ModelSession.Engine.allCases {
            #expect(Self.sessions.contains { $0.engine == engine && $0.sharesKeys })
            #expect(Self.sessions.contains { $0.engine == engine && !$0.sharesKeys })
        }
        let allowed = Set(Self.sessions.flatMap(\.expectations).flatMap(\.answers).flatMap(\.allowed))
        // These take a fault of the program, or a configuration that no session has.
        let never = [-32603, 1001, 1011]
        for code in ModelOutcome.types.keys where !never.contains(code) {
            #expect(allowed.contains(.error(code)), "\(code)")
        }
        for outcome: ModelOutcome in [
            .result(.editorServer), .result(.toolServer(revision: "2025-03-26")), .result(.toolDiscovery),
            .result(.openRPCDocument), .result(.tools(isModern: true)), .result(.tools(isModern: false)),
            .tool(.publicKey("demo-ec", version: nil), isModern: true), .toolError(1012, isModern: false),
            .tool(.publicKey("demo-ec", version: nil), isModern: false), .result(.notValid(version: 1)),
        ] {
            #expect(allowed.contains(outcome), "\(outcome)")
        }
    }

    @Test func `most answers are required, and most may be one thing only`() {
        let answers = Self.sessions.filter { !$0.mayLoseAnswers }.flatMap(\.expectations).flatMap(\.answers)
        #expect(answers.count { $0.isRequired } > answers.count / 2)
        #expect(answers.count { $0.allowed.count == 1 } > answers.count / 2)
        #expect(answers.allSatisfy { !$0.allowed.isEmpty || $0.isTool || !$0.isRequired })
    }

    // MARK: The expectations

    private static func answer(_ id: String, _ codes: Set<Int>, isRequired: Bool = true) -> ModelAnswer {
        ModelAnswer(id: id, allowed: Set(codes.map(ModelOutcome.error)), isRequired: isRequired)
    }

    private static func single(_ id: String, _ codes: Set<Int>, isRequired: Bool = true) -> ModelExpectation {
        ModelExpectation(isBatch: false, answers: [answer(id, codes, isRequired: isRequired)])
    }

    private static func error(_ id: String, _ code: Int) -> String {
        let retryable = [1006, 1008, 1009, 1012].contains(code)
        let data = #"{"type":"\#(ModelOutcome.types[code] ?? "")","retryable":\#(retryable)}"#
        return #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"message":"m","data":\#(data)}}"#
    }

    private static func replies(_ texts: [String]) throws -> [ModelReply] {
        try texts.map { try ModelReply(parsing: Array($0.utf8)[...]) }
    }

    @Test(arguments: [
        // Whichever comes first, there is one assignment for both.
        ([single("1", [1, 1004]), single("1", [1004])], ["1:1004", "1:1005"], [1], [1]),
        ([single("1", [1004, 1005]), single("1", [1004])], ["1:1004", "1:1005"], [], []),
        ([single("1", [1004, 1005]), single("1", [1004])], ["1:1005", "1:1004"], [], []),
        // Lost, doubled, optional, with another id, with another code.
        ([single("1", [1004])], [], [], [0]), ([single("1", [1004])], ["1:1004", "1:1004"], [1], []),
        ([single("1", [1004], isRequired: false)], [], [], []),
        ([single("1", [1004], isRequired: false), single("1", [1004])], ["1:1004"], [], []),
        ([single("1", [1004])], ["\"1\":1004"], [0], [0]), ([single("1", [1004])], ["1:1005"], [0], [0]),
        // A batch is not one answer.
        ([ModelExpectation(isBatch: true, answers: [answer("1", [1004])])], ["1:1004"], [0], [0]),
    ])
    func `messages and expectations find each other`(
        _ expectations: [ModelExpectation], _ replies: [String], _ unexpected: [Int], _ missing: [Int]
    ) throws {
        let texts = replies.map { text in
            let parts = text.split(separator: ":")
            return Self.error(String(parts[0]), Int(parts[1]) ?? 0)
        }
        let matching = ModelMatching(expectations, try Self.replies(texts))
        #expect(matching.unexpected == unexpected)
        #expect(matching.missing == missing)
    }

    @Test(arguments: [
        (["1:1004", "2:1005", "3:1005"], true), (["1:1004", "3:1005"], true), (["1:1004"], false),
        (["2:1005", "1:1004", "3:1005"], false), (["1:1004", "2:1005", "2:1005", "3:1005"], false),
        (["1:1004", "3:1004"], false),
    ])
    func `the members of a batch are in order, and only optional ones may be missing`(
        _ members: [String], _ isRight: Bool
    ) throws {
        let batch = ModelExpectation(
            isBatch: true,
            answers: [
                Self.answer("1", [1004]), Self.answer("2", [1005], isRequired: false), Self.answer("3", [1005]),
            ])
        let texts = members.map { text in
            let parts = text.split(separator: ":")
            return Self.error(String(parts[0]), Int(parts[1]) ?? 0)
        }
        #expect(batch.allows(try Self.replies(["[\(texts.joined(separator: ","))]"])[0]) == isRight)
    }

    // MARK: Reading

    @Test(arguments: [
        "{}", "[]", "1", "{\"jsonrpc\":\"2.0\",\"id\":1}", #" {"jsonrpc":"2.0","id":1,"result":null}"#,
        #"{"jsonrpc":"2.0","id":1,"result":7}"#, #"{"id":1,"jsonrpc":"2.0","result":null}"#,
        #"{"jsonrpc":"2.0","id":1,"result":null,"error":null}"#,
        #"{"jsonrpc":"2.0","id":1,"error":{"code":1004,"message":"m"}}"#,
        #"{"jsonrpc":"2.0","id":1,"error":{"code":1004,"message":"m","data":{"type":"KeyUnusable","retryable":false}}}"#,
        #"{"jsonrpc":"2.0","id":1,"error":{"code":1004,"message":"m","data":{"type":"KeyNotFound","retryable":true}}}"#,
        #"{"jsonrpc":"2.0","id":1,"result":{"keyTag":"demo-ec","keyVersion":1,"publicKey":"another"}}"#,
        #"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"structuredContent":{"a":1}}}"#,
        #"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"isError":true}}"#,
    ])
    func `what the contract does not know is refused`(_ text: String) {
        #expect(throws: ModelViolation.self) { try ModelReply(parsing: Array(text.utf8)[...]) }
    }

    @Test(arguments: [
        ("a\nb\n", false, ["a", "b"], ""), ("a\nb", false, ["a"], "b"), ("", false, [], ""),
        ("Content-Length: 1\r\n\r\naContent-Length: 2\r\n\r\nbc", true, ["a", "bc"], ""),
        ("Content-Length: 2\r\n\r\na", true, [], "Content-Length: 2\r\n\r\na"), ("Cont", true, [], "Cont"),
        ("Content-Length: 12\r\n", true, [], "Content-Length: 12\r\n"),
    ])
    func `an output is split as it is framed`(
        _ output: String, _ usesHeaders: Bool, _ messages: [String], _ rest: String
    ) throws {
        let split = try ModelReply.split(Array(output.utf8), usesHeaders: usesHeaders)
        #expect(split.messages.map { String(decoding: $0, as: UTF8.self) } == messages)
        #expect(String(decoding: split.rest, as: UTF8.self) == rest)
    }

    @Test(arguments: ["a", "content-length: 1\r\n\r\na", "Content-Length: x\r\n\r\n", "Content-Length: 1\n\na"])
    func `what is no frame is refused`(_ output: String) {
        #expect(throws: ModelViolation.self) { try ModelReply.split(Array(output.utf8), usesHeaders: true) }
    }

    // MARK: The whole

    private static func violations(
        _ change: (inout ModelRecord) -> Void, expecting expectations: [ModelExpectation] = [single("1", [1004])]
    ) -> [String] {
        var session = ModelSession(seed: 0)
        session.expectations = expectations
        var record = ModelRecord(
            output: Array((error("1", 1004) + "\n").utf8),
            log: #"{"level":"info","message":"ended","reason":"end of stdin","answered":1}"# + "\n", status: 0)
        change(&record)
        return ModelCheck(session, record).violations
    }

    @Test func `a right record has no violation, and each wrong one has`() {
        #expect(Self.violations { _ in } == [])
        #expect(!Self.violations { $0.status = 1 }.isEmpty)
        #expect(!Self.violations { $0.wasKilled = true }.isEmpty)
        #expect(!Self.violations { $0.output = [] }.isEmpty)
        #expect(!Self.violations { $0.output.removeLast() }.isEmpty)
        #expect(!Self.violations { $0.output += Array("x\n".utf8) }.isEmpty)
        #expect(!Self.violations { $0.log = "" }.isEmpty)
        #expect(!Self.violations { $0.log += "not JSON\n" }.isEmpty)
        #expect(!Self.violations { $0.log = $0.log.replacing("end of stdin", with: "exit") }.isEmpty)
        #expect(
            !Self.violations {
                $0.log += #"{"level":"info","message":"DEMOSECRETKEYnotasecret000000000000000001"}"# + "\n"
            }.isEmpty)
    }

    @Test(arguments: ["1", "1 2", "2", "1 1", "1 A", "1 A 2"])
    func `progress counts from 1, and ends with the answer`(_ order: String) {
        var expectation = Self.single("1", [1004])
        expectation.answers[0].progressToken = "\"t\""
        let lines = order.split(separator: " ").map { word in
            let params = #"{"progressToken":"t","progress":\#(word),"total":3,"message":"m"}"#
            return word == "A"
                ? Self.error("1", 1004) : #"{"jsonrpc":"2.0","method":"notifications/progress","params":\#(params)}"#
        }
        let all = lines + (order.contains("A") ? [] : [Self.error("1", 1004)])
        let violations = Self.violations(
            { $0.output = Array((all.joined(separator: "\n") + "\n").utf8) }, expecting: [expectation])
        #expect(violations.isEmpty == ["1", "1 2", "1 A"].contains(order), "\(violations)")
    }
}
