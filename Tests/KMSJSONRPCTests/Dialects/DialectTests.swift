import KMSJSON
import KMSJSONRPC
import KMSPlatform
import Testing

/// A dialect for tests: `tale/call` calls `held` or `fast` by another name, and tells of what came of it.
private struct Tale: Dialect {
    let held: Held
    let isSilentAtStop: Bool

    func interpret(_ request: RawRequest) throws(RPCError) -> Interpretation? {
        if request.isNotification {
            guard request.method.isString("tale/cancel"), let id = request.params?.raw.member("id") else {
                return request.method.hasPrefix("tale/") ? .ignored : nil
            }
            return .cancellation(of: id)
        }
        if let mark = request.meta?.member("tale") { return .answer(.result(Array(mark.value.bytes))) }
        if request.method.isString("tale/fail") { throw .invalidParams("tale", "is bad") }
        guard request.method.isString("tale/call") else { return nil }
        let params = request.params?.raw.member("of").map(RawParameters.init)
        return .call(params == nil ? held : FastEcho(), params, Form())
    }

    private struct Form: AnswerForm {
        func answer(to outcome: Result<[UInt8], RPCError>) -> Answer {
            switch outcome {
            case .success(let json): .result(Array(#"{"tale":"#.utf8) + json + Array("}".utf8))
            case .failure(let error): .result(Array("\"tale of \(error.code)\"".utf8), reporting: error)
            }
        }
    }
}

/// What other protocols on the same connection may do, and what they may not.
@Suite struct DialectTests {
    private func session(stops: Bool = false, isSilentAtStop: Bool = true) throws -> Session {
        let held = Held()
        return try Session(stops: stops, held: held, dialects: [Tale(held: held, isSilentAtStop: isSilentAtStop)])
    }

    @Test(arguments: [
        // A method that the connection does not have.
        (request("1", "tale/call", #"{"of":[7]}"#), [result("1", #"{"tale":[7]}"#)]),
        ("[\(request("1", "tale/call", #"{"of":[7]}"#))]", ["[\(result("1", #"{"tale":[7]}"#))]"]),
        (request("1", "tale/fail"), [failure("1", -32602)]),
        (request("1", "story/call"), [failure("1", -32601)]),
        // One that it has, with and without a mark.
        (request("1", "echo", #"{"a":1}"#), [result("1", #"{"a":1}"#)]),
        (request("1", "echo", #"{"_meta":{"tale":3}}"#), [result("1", "3")]),
        (request("1", "echo", #"{"_met\u0061":{"tale":3}}"#), [result("1", "3")]),
        (request("1", "echo", #"{"_meta":{"other":3}}"#), [result("1", #"{"_meta":{"other":3}}"#)]),
        (request("1", "echo", #"{"_meta":3}"#), [result("1", #"{"_meta":3}"#)]),
        (request("1", "echo", #"{"a":{"_meta":{"tale":3}}}"#), [result("1", #"{"a":{"_meta":{"tale":3}}}"#)]),
        (request("1", "shutdown", #"{"_meta":{"tale":3}}"#), [result("1", "3")]),
        // Notifications are not answered, whatever they mean.
        (notification("tale/call", #"{"of":[7]}"#), []), (notification("tale/fail"), []),
        (notification("tale/cancel", #"{"id":7}"#), []), (notification("echo", #"{"_meta":{"tale":3}}"#), []),
    ])
    func `a message is of the first dialect that it fits, or of none`(_ line: String, _ answers: [String]) throws {
        #expect(try session().answers(to: line).map(summary) == answers)
    }

    @Test func `a dialect is told of what the methods of a connection fail with`() throws {
        let session = try session()
        try session.serve()
        try session.send(lines: request("1", "tale/call"))
        try session.held.started.wait()
        session.held.all[0].fail(Failing.error)
        #expect(try session.receive() == result("1", #""tale of -32602""#))
        #expect(try session.counters.failures == [-32602: 1])
    }

    @Test func `a cancel reaches the calls of its own dialect alone, and they are not answered`() throws {
        let session = try session()
        try session.serve()
        let cancelTale = notification("tale/cancel", #"{"id":7}"#)
        try session.send(lines: request("7", "held"), request("7", "tale/call"), request("7", "tale/call"), cancelTale)
        try session.held.aborted.wait(count: 2)
        try session.send(lines: request("7", "tale/call"), cancel("7"))
        #expect(try summary(session.receive() ?? "") == failure("7", -32800))
        try session.held.started.wait(count: 4)
        session.held.release(1)
        session.held.release(3)
        #expect(try session.receive() == result("7", #"{"tale":"released"}"#))
        #expect(try session.counters.inFlight == 0)
    }

    @Test(arguments: [
        ([request("1", "tale/call"), request("2", "echo", "[]")], "[\(result("2", "[]"))]"),
        ([request("1", "tale/call"), request("1", "tale/call")], nil),
    ])
    func `a cancelled member of a batch is not in the array, and there is no empty array`(
        _ members: [String], _ answer: String?
    ) throws {
        let session = try session()
        try session.serve()
        try session.send(
            lines: "[\(members.joined(separator: ","))]", notification("tale/cancel", #"{"id":1}"#),
            request("3", "echo", "[3]"))
        if let answer { #expect(try session.receive() == answer) }
        #expect(try session.receive() == result("3", "[3]"))
        session.endInput()
        #expect(try session.receive() == nil)
    }

    @Test func `a cancel from inside of the batch finds the members before it`() throws {
        let batch = [request("1", "tale/call"), notification("tale/cancel", #"{"id":1}"#), request("2", "echo", "[]")]
        #expect(try session().answers(to: "[\(batch.joined(separator: ","))]") == ["[\(result("2", "[]"))]"])
    }

    @Test(arguments: [true, false])
    func `a stop ends the calls of a silent dialect at once and without an answer`(_ isSilent: Bool) throws {
        let session = try session(stops: true, isSilentAtStop: isSilent)
        try session.serve()
        try session.send(lines: request("1", "tale/call"), request("2", "held"))
        try session.held.started.wait(count: 2)
        session.stop.fire()
        // Before the grace is over.
        if isSilent { try session.held.aborted.wait() }
        session.held.release(1)
        let taleOfTheEnd = result("1", #""tale of 1012""#)
        #expect(try session.receiveLines() == [result("2", #""released""#)] + (isSilent ? [] : [taleOfTheEnd]))
    }

    @Test func `after shutdown calls are refused in the form of their dialect`() throws {
        let lines = [
            request("1", "shutdown"), request("2", "tale/call"), request("3", "tale/fail"),
            request("4", "echo", #"{"_meta":{"tale":3}}"#), request("5", "echo"),
        ]
        #expect(
            try session().answers(to: lines.joined(separator: "\n")).map(summary) == [
                result("1", "null"), result("2", #""tale of 1012""#), failure("3", 1012), failure("4", 1012),
                failure("5", 1012),
            ])
    }
}
