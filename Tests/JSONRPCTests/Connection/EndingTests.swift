import JSON
import JSONRPC
import Platform
import Testing

/// Cancelling, `shutdown`, `exit`, stop descriptors, and what is left behind.
@Suite struct EndingTests {
    // MARK: $/cancelRequest

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
        #expect(session.connection.counters.inFlight == 1)
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
        #expect(session.connection.counters.inFlight == 1)
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
        #expect(session.connection.counters.inFlight == 1)
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

            func start(_ call: Call) throws(RPCError) {
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

    // MARK: shutdown and exit

    @Test func `shutdown is answered with null, refuses new requests and finishes what is in flight`() throws {
        let session = try Session()
        try session.serve()
        try session.send(
            lines: request("1", "held"), request("2", "shutdown"), request("3", "echo"), request("4", "shutdown"))
        try session.send(lines: notification("echo"), "x")
        #expect(
            try session.receive(count: 4).map(summary)
                == [result("2", "null"), failure("3", 1012), failure("4", 1012), failure("null", -32700)])
        session.held.release(0)
        #expect(try session.receive() == result("1", "\"released\""))
        session.endInput()
        try session.ended.wait()
    }

    @Test func `shutdown with parameters is refused and changes nothing`() throws {
        let lines = [request("1", "shutdown", "[1]"), request("2", "echo"), request("3", "shutdown", "{}")]
        let answers = try Session().answers(to: lines.joined(separator: "\n")).map(summary)
        #expect(answers.sorted() == [failure("1", -32602), result("2", "null"), result("3", "null")].sorted())
    }

    @Test func `a cancel works after shutdown`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "shutdown"), cancel("1"))
        #expect(
            try session.receive(count: 2).map(summary).sorted() == [failure("1", -32800), result("2", "null")].sorted())
        session.endInput()
        try session.ended.wait()
    }

    /// The clock stands still, so only an end that does not wait for it can come.
    @Test(arguments: ["held", "echo"])
    func `exit ends at once, with calls in flight or without`(method: String) throws {
        let session = try Session { $0.clock = ManualClock() }
        try session.serve()
        try session.send(
            lines: request("1", method), request("2", "fast", "[]"), request("3", "shutdown"), notification("exit"))
        try session.ended.wait()
        let answers = try session.receiveLines()
        #expect(answers.contains(result("2", "[]")))
        #expect(answers.contains(result("3", "null")))
        #expect(answers.contains(result("1", "null")) == (method == "echo"))
    }

    /// The symptom: calls that were in flight at the end wrote their answers to a descriptor that was the caller's again.
    @Test func `after the end nothing is written any more, and what was in flight is aborted`() throws {
        let session = try Session { $0.clock = ManualClock() }
        try session.serve()
        try session.send(lines: request("1", "held"), notification("exit"))
        try session.ended.wait()
        try session.held.aborted.wait()
        let reused = makePipe()
        defer { close(reused.read); close(reused.write) }
        // The number that the output had, now a descriptor of somebody else.
        #expect(dup2(reused.write, session.output) == session.output)
        defer { close(session.output) }
        session.held.release(0)
        #expect(!isReadable(reused.read, milliseconds: 0))
        #expect(session.connection.counters.inFlight == 0)
    }

    /// The symptom: answers to a batch did not count as the last answer, so a `shutdown` in a batch ended at once.
    @Test(arguments: ["[\(request("1", "shutdown"))]", notification("shutdown"), request("1", "shutdown")])
    func `after shutdown the client has two seconds, however it was sent`(line: String) throws {
        let clock = ManualClock(now: Instant(nanoseconds: 3_600_000_000_000))
        let session = try Session { $0.clock = clock }
        try session.serve()
        try session.send(lines: line)
        if line.contains("id") { _ = try session.receive() }
        // Were it gone, this would not be answered.
        try session.send(lines: request("2", "echo"))
        #expect(try summary(session.receive() ?? "") == failure("2", 1012))
        clock.advance(by: .milliseconds(1_999))
        try session.send(lines: "[\(request("3", "echo"))]")
        #expect(try summary(session.receive() ?? "") == "[\(failure("3", 1012))]")
        // That answer began the two seconds anew.
        clock.advance(by: .milliseconds(1_999))
        try session.send(lines: request("4", "echo"))
        #expect(try summary(session.receive() ?? "") == failure("4", 1012))
        clock.advance(by: .seconds(2))
        // Whatever wakes it, it finds the time over, if it has not found that by itself and is gone.
        try? session.send(lines: " ")
        try session.ended.wait()
    }

    // MARK: Stop descriptors

    @Test func `a stop gives what is in flight a grace, then refuses it`() throws {
        let clock = ManualClock(now: Instant(nanoseconds: 3_600_000_000_000))
        let session = try Session(stops: true) { $0.clock = clock }
        try session.serve()
        try session.send(
            lines: request("1", "held"), notification("held"), request("3", "held"),
            "[\(request("4", "held")),\(request("5", "echo"))]")
        try session.held.started.wait(count: 4)
        session.stop.fire()
        try session.stopping.wait()
        session.held.release(0)
        #expect(try session.receive() == result("1", "\"released\""))
        clock.advance(by: .seconds(1))
        // This wakes the connection, which finds the grace over.
        session.held.release(1)
        #expect(
            try session.receive(count: 2).map(summary).sorted()
                == [failure("3", 1012), "[\(failure("4", 1012)),\(result("5", "null"))]"].sorted())
        try session.ended.wait()
        try session.held.aborted.wait(count: 2)
        #expect(session.held.abortedIDs.filter { $0 != "none" } == ["3", "4"])
        #expect(session.events.withLock { $0 } == [.stopping], "one event, however long the descriptor stays readable")
    }

    @Test func `a stop without work ends at once, though the input stays open`() throws {
        let session = try Session(stops: true) { $0.clock = ManualClock() }
        try session.serve()
        session.stop.fire()
        try session.ended.wait()
    }

    @Test func `a stop at the limit of calls in flight answers the rest of a batch`() throws {
        let clock = ManualClock(now: Instant(nanoseconds: 3_600_000_000_000))
        let session = try Session(stops: true) {
            $0.clock = clock
            $0.maximumInFlight = 1
        }
        try session.serve()
        try session.send(
            lines: "[\(request("1", "held")),\(request("2", "echo")),\(notification("held"))]", request("3", "echo"))
        try session.held.started.wait()
        session.stop.fire()
        #expect(try summary(session.receive() ?? "") == failure("3", 1012))
        session.held.release(0)
        #expect(try summary(session.receive() ?? "") == "[\(result("1", "\"released\"")),\(failure("2", 1012))]")
        try session.ended.wait()
    }

    /// The symptom: the descriptors were not watched any more once requests were refused and the input had ended, so a
    /// SIGTERM after `shutdown` and the end of the input waited for the slowest call.
    @Test func `a stop is seen after shutdown and the end of the input`() throws {
        let clock = ManualClock(now: Instant(nanoseconds: 3_600_000_000_000))
        let session = try Session(stops: true) { $0.clock = clock }
        try session.serve()
        // A line without its end is answered when the end of the input was seen.
        try session.send(request("1", "held") + "\n" + request("2", "shutdown"))
        session.endInput()
        #expect(try session.receive() == result("2", "null"))
        session.stop.fire()
        try session.stopping.wait()
        session.held.release(0)
        #expect(try session.receive() == result("1", "\"released\""))
        try session.ended.wait()
    }

    // MARK: The end of the input

    @Test(arguments: [Session.Ends.pipes, .socketPair])
    func `at the end of the input everything in flight is finished`(ends: Session.Ends) throws {
        let session = try Session(ends)
        try session.serve()
        try session.send(request("1", "held") + "\n[" + request("2", "held") + "]\n" + request("3", "held"))
        session.endInput()
        try session.held.started.wait(count: 3)
        for index in [1, 2, 0] { session.held.release(index) }
        #expect(
            try session.receiveLines()
                == ["[\(result("2", "\"released\""))]", result("3", "\"released\""), result("1", "\"released\"")])
        try session.ended.wait()
        #expect(!session.held.aborted.hasFired)
    }

    // MARK: Descriptors of the host

    @Test(arguments: [Session.Ends.pipes, .socketPair])
    func `non-blocking descriptors are waited for, and their flags left alone`(ends: Session.Ends) throws {
        let session = try Session(ends)
        for descriptor in [session.input, session.output] {
            #expect(fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0)
        }
        let flags = [fcntl(session.input, F_GETFL), fcntl(session.output, F_GETFL)]
        try session.serve()
        for id in 0..<3 {
            try session.send(lines: request("\(id)", "large", "[1000000]"))
            #expect(try session.receive()?.utf8.count == result("\(id)", "\"\"").utf8.count + 1_000_000)
        }
        #expect([fcntl(session.input, F_GETFL), fcntl(session.output, F_GETFL)] == flags)
        session.endInput()
        try session.ended.wait()
    }

    @Test func `blocking descriptors keep their flags, too`() throws {
        let session = try Session()
        let flags = [fcntl(session.input, F_GETFL), fcntl(session.output, F_GETFL)]
        try session.serve()
        try session.send(lines: request("1", "large", "[1000000]"))
        #expect(try session.receive()?.utf8.count == result("1", "\"\"").utf8.count + 1_000_000)
        #expect([fcntl(session.input, F_GETFL), fcntl(session.output, F_GETFL)] == flags)
    }

    @Test func `descriptors that are not open end the connection`() throws {
        for (input, output) in [(CInt(-1), CInt(-1)), (1_000_000, 1_000_000), (-1, 1_000_000)] {
            var configuration = Connection.Configuration(
                input: input, output: output, framing: LineFraming(maximumMessageBytes: 100))
            configuration.stopDescriptors = []
            // Nothing to read from a descriptor below 0, which `poll` passes over: the stop ends it.
            let stop = Signal()
            stop.fire()
            configuration.stopDescriptors = [stop.descriptor]
            try Connection(configuration, methods: []).run()
        }
    }

    @Test func `counters that a call reads count the call itself and what came before it`() throws {
        final class Counting: Method {
            let name = "count"
            let connection = Lock<Connection?>(nil)

            func start(_ call: Call) throws(RPCError) {
                guard let counters = connection.withLock({ $0 })?.counters else {
                    throw .internalError("no connection")
                }
                call.succeed { json in
                    json.array { json in
                        json.value(counters.received)
                        json.value(counters.answered)
                        json.value(counters.inFlight)
                    }
                }
            }
        }
        let counting = Counting()
        let session = try Session(methods: [counting])
        counting.connection.withLock { $0 = session.connection }
        defer { counting.connection.withLock { $0 = nil } }
        let lines = [request("1", "fast", "[]"), request("2", "none"), request("3", "count"), request("4", "count")]
        let answers = try session.answers(to: lines.joined(separator: "\n"))
        #expect(answers.contains(result("3", "[3,2,1]")))
        #expect(answers.contains(result("4", "[4,3,1]")))
    }
}
