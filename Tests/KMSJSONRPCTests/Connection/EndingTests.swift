import KMSJSON
import KMSJSONRPC
import KMSPlatform
import KMSTestSupport
import Testing

/// `shutdown`, `exit`, stop descriptors, and what is left behind.
@Suite struct EndingTests {
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

    /// The symptom: what a reader had not taken within a second was lost, and the last line was cut in the middle.
    @Test(arguments: [Session.Ends.pipes, .socketPair])
    func `after exit every answer given is written, however slowly it is read`(ends: Session.Ends) throws {
        let clock = ManualClock()
        let session = try Session(ends) { $0.clock = clock }
        try session.serve()
        // One write, so all of it is dealt with before the first answer is written.
        let requests = (1...5).map { request("\($0)", "large", "[200000]") + "\n" }.joined()
        try session.send(requests + request("6", "held") + "\n" + notification("exit") + "\n")
        try waitUntilReadable(session.fromServer)
        clock.advance(by: .seconds(3_600))
        let lines = try session.receiveLines()
        #expect(lines.map(\.utf8.count) == (1...5).map { result("\($0)", "\"\"").utf8.count + 200_000 })
        try session.ended.wait()
        try session.held.aborted.wait()
    }

    @Test func `an answer that comes after exit goes nowhere, though the reader is slow`() throws {
        let session = try Session()
        try session.serve()
        try session.send(
            lines: request("1", "large", "[200000]"), "[\(request("2", "held")),\(request("3", "echo"))]",
            request("4", "held"), notification("exit"))
        try session.held.aborted.wait(count: 2)
        session.held.release(0)
        session.held.release(1)
        #expect(try session.receiveLines().map(\.utf8.count) == [result("1", "\"\"").utf8.count + 200_000])
        try session.ended.wait()
    }

    @Test func `exit inside a batch: what is answered is written, what is in flight is dropped`() throws {
        let session = try Session()
        try session.serve()
        try session.send(
            lines: request("1", "held"),
            "[\(request("2", "echo")),\(notification("exit")),\(request("3", "echo"))]", request("4", "echo"))
        #expect(
            try session.receiveLines().map(summary) == ["[\(result("2", "null")),\(failure("3", 1012))]"])
        try session.ended.wait()
        #expect(session.held.abortedIDs == ["1"])
    }

    /// The symptom: calls that were in flight at the end wrote their answers to a descriptor that was the caller's again.
    @Test func `after the end nothing is written any more, and what was in flight is aborted`() throws {
        let session = try Session { $0.clock = ManualClock() }
        // The caller of `run` goes on using the output.
        try session.serve(closingOutput: false)
        try session.send(lines: request("1", "held"), notification("exit"))
        try session.ended.wait()
        try session.held.aborted.wait()
        session.held.release(0)
        session.takeWhatCameLate()
        #expect(!isReadable(session.fromServer, milliseconds: 0))
        #expect(try session.counters.inFlight == 0)
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
        // A refusal does not begin the two seconds anew.
        clock.advance(by: .milliseconds(1))
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
        // Together, so that the connection finds the grace over when the call has ended.
        session.connection.loop.submit {
            clock.advance(by: .seconds(1))
            session.held.release(1)
        }
        #expect(
            try session.receive(count: 2).map(summary).sorted()
                == [failure("3", 1012), "[\(failure("4", 1012)),\(result("5", "null"))]"].sorted())
        try session.ended.wait()
        try session.held.aborted.wait(count: 2)
        #expect(session.held.abortedIDs.filter { $0 != "none" } == ["3", "4"])
        #expect(session.events.withLock { $0 } == [.stopping], "one event, however long the descriptor stays readable")
    }

    /// The symptom: the last line that a reader found was cut in the middle.
    @Test(arguments: [Session.Ends.pipes, .socketPair], ["held", "echo"])
    func `after a stop a reader that never reads finds whole answers alone`(ends: Session.Ends, last: String) throws {
        let clock = ManualClock()
        let session = try Session(ends, stops: true) { configuration in
            configuration.clock = clock
            let report = configuration.report
            configuration.report = { event in
                report(event)
                // The grace is over before anybody could read.
                if event == .stopping { clock.advance(by: .seconds(2)) }
            }
        }
        try session.serve()
        try session.send(
            (1...9).map { request("\($0)", "large", "[150000]") + "\n" }.joined() + request("10", last) + "\n")
        try waitUntilReadable(session.fromServer)
        session.stop.fire()
        if last == "held" {
            // Its refusal has half a second more. On the loop, so after the refusal.
            try session.held.aborted.wait()
            session.connection.loop.submit { clock.advance(by: .milliseconds(500)) }
        }
        try session.ended.wait()
        let text = String(decoding: try session.receiveAll(), as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(text.last == "\n" && (1...8).contains(lines.count), "\(lines.count)")
        #expect(lines.map(\.utf8.count) == (1...lines.count).map { result("\($0)", "\"\"").utf8.count + 150_000 })
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
}
