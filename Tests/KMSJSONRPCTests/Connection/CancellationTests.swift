import KMSJSON
import KMSJSONRPC
import KMSPlatform
import Testing

/// `$/cancelRequest`.
@Suite struct CancellationTests {
    @Test func `a cancel is answered at once, and the work is aborted`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "held"), cancel("1"))
        #expect(try summary(session.receive() ?? "") == failure("1", -32800))
        try session.held.aborted.wait()
        #expect(session.held.abortedIDs == ["1"])
        // Too late: it has its answer.
        session.held.release(0)
        session.held.release(1)
        #expect(try session.receive() == result("2", "\"released\""))
    }

    @Test(arguments: [
        ("1", "1"), (#""a""#, #""a""#), (#""a""#, #""\u0061""#), (#""\u0061""#, #""a""#), ("null", "null"),
        ("1.5", "1.5"),
        ("18446744073709551616", "18446744073709551616"),
    ])
    func `a cancel means every call with that id`(id: String, cancelled: String) throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request(id, "held"), request("77", "held"), request(id, "held"), cancel(cancelled))
        #expect(try session.receive(count: 2).map(summary) == [failure(id, -32800), failure(id, -32800)])
        #expect(try session.counters.inFlight == 1)
    }

    @Test func `a cancel for an id that is unknown, done or of another kind is ignored`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "echo"), request("2", "held"))
        #expect(try session.receive() == result("1", "null"))
        try session.send(
            lines: cancel("1"), cancel("3"), cancel("\"2\""), cancel("null"), notification("$/cancelRequest"),
            notification("$/cancelRequest", #"{"id":[2]}"#), notification("$/cancelRequest", #"{"id":2,"x":1}"#),
            request("4", "echo"))
        #expect(try session.receive() == result("4", "null"))
        #expect(try session.counters.inFlight == 1)
        let dropped = session.events.withLock { $0 }.filter {
            if case .notificationDropped = $0 { true } else { false }
        }
        #expect(dropped.count == 3)
    }

    @Test func `a notification has no id that could be cancelled`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: notification("held"), cancel("null"), request("1", "echo"))
        #expect(try session.receive() == result("1", "null"))
        #expect(try session.counters.inFlight == 1)
    }

    @Test func `a member of a batch can be cancelled, from outside and from inside of the batch`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: "[\(request("1", "held")),\(request("2", "held")),\(cancel("1"))]", cancel("2"))
        #expect(try summary(session.receive() ?? "") == "[\(failure("1", -32800)),\(failure("2", -32800))]")
        try session.held.aborted.wait(count: 2)
    }

    @Test func `a cancel sent as a request is answered with null`() throws {
        let session = try Session()
        try session.serve()
        try session.send(
            lines: request("1", "held"), request("2", "$/cancelRequest", #"{"id":1}"#), request("3", "$/cancelRequest"))
        #expect(
            try session.receive(count: 3).map(summary).sorted()
                == [failure("1", -32800), failure("3", -32602), result("2", "null")].sorted())
    }

    /// The symptom: a cancel took its list of calls first and answered them later. An `onCancellation` in between was
    /// lost, and a call that another thread answered in between was aborted.
    @Test func `work is aborted if and only if its call was cancelled, whoever comes first`() throws {
        final class Racing: Method {
            let name = "race"
            let runs = Lock<[String: Int]>([:])
            let finished = Signal()

            func start(_ call: Call, _ params: RawParameters?) throws(RPCError) {
                let id = call.id.map { String(decoding: $0, as: UTF8.self) } ?? ""
                do {
                    try Thread.start(name: "racing") { [self] in
                        call.onCancellation { [self] in runs.withLock { $0[id, default: 0] += 1 } }
                        call.succeed { $0.null() }
                        finished.fire()
                    }
                } catch {
                    throw .internalError("\(error)")
                }
            }
        }
        let racing = Racing()
        let session = try Session(methods: [racing])
        try session.serve()
        let count = 500
        var cancelled: Set<String> = []
        for id in 0..<count {
            try session.send(lines: request("\(id)", "race"), cancel("\(id)"))
            let answer = try summary(session.receive() ?? "")
            if answer == failure("\(id)", -32800) { cancelled.insert("\(id)") }
        }
        try racing.finished.wait(count: count)
        session.endInput()
        try session.ended.wait()
        let runs = racing.runs.withLock { $0 }
        #expect(Set(runs.keys) == cancelled)
        #expect(runs.values.allSatisfy { $0 == 1 })
    }
}
