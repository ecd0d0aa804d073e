import KMSJSON
import KMSPlatform
import Testing

@testable import KMSJSONRPC

/// Calls that are in flight together: order, limits, batches.
@Suite struct ConcurrencyTests {
    @Test func `requests are answered as they finish`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "held"), request("3", "echo"))
        try session.held.started.wait(count: 2)
        #expect(try session.receive() == result("3", "null"))
        session.held.release(1)
        #expect(try session.receive() == result("2", "\"released\""))
        session.held.release(0)
        #expect(try session.receive() == result("1", "\"released\""))
        #expect(!session.held.aborted.hasFired)
    }

    @Test func `a call is answered once, whatever is said later`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"))
        try session.held.started.wait()
        session.held.release(0)
        session.held.release(0)
        session.held.all[0].fail(.shuttingDown)
        session.endInput()
        #expect(try session.receiveLines() == [result("1", "\"released\"")])
    }

    @Test func `calls that finish on many threads at once are all answered, each on one line`() throws {
        let count = 400
        let session = try Session()
        try session.serve()
        try session.send((0..<count).map { request("\($0)", "held") + "\n" }.joined())
        try session.held.started.wait(count: count)
        session.endInput()
        let calls = session.held.all
        let threads = 8
        for thread in 0..<threads {
            try Thread.start(name: "finisher") {
                for index in stride(from: thread, to: count, by: threads) {
                    calls[index].succeed { $0.value(String(repeating: "x", count: index)) }
                }
            }
        }
        let answers = try session.receiveLines().sorted()
        #expect(answers == (0..<count).map { result("\($0)", "\"\(String(repeating: "x", count: $0))\"") }.sorted())
        try session.ended.wait()
    }

    @Test func `what is finished in one turn is written at one go`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "held"), request("3", "held"))
        try session.held.started.wait(count: 3)
        let finished = Signal()
        session.connection.loop.submit {
            session.held.release(2)
            session.held.release(0)
            // The client reads what is there by now: nothing of the two.
            if !session.hasAnswer { finished.fire() }
        }
        try finished.wait()
        #expect(try session.receive(count: 2) == [result("3", "\"released\""), result("1", "\"released\"")])
        session.held.release(1)
        #expect(try session.receive() == result("2", "\"released\""))
    }

    @Test func `a call that another thread finishes at the end of the input ends the connection`() throws {
        let session = try Session()
        try session.serve()
        try session.send(lines: request("1", "held"))
        session.endInput()
        try session.held.started.wait()
        session.held.release(0)
        #expect(try session.receiveLines() == [result("1", "\"released\"")])
        try session.ended.wait()
    }

    @Test func `what finishes when the connection is over belongs to nobody`() throws {
        let session = try Session(stops: true)
        try session.serve(closingOutput: false)
        try session.send(lines: request("1", "held"), notification("exit"))
        try session.ended.wait()
        session.held.release(0)
        session.takeWhatCameLate()
        #expect(!session.hasAnswer)
    }

    // MARK: The limit on calls in flight

    @Test func `beyond the limit nothing is read until a call ends, and nothing is dropped`() throws {
        let session = try Session { $0.maximumInFlight = 2 }
        try session.serve()
        try session.send(lines: request("1", "held"), notification("held"), request("3", "echo"), cancel("1"))
        try session.held.started.wait(count: 2)
        #expect(try session.counters.inFlight == 2)
        // Neither the request nor the cancel has been looked at: the next thing to come is the answer of the first call.
        session.held.release(1)
        #expect(try session.receive() == result("3", "null"))
        #expect(try summary(session.receive() ?? "") == failure("1", -32800))
    }

    @Test func `at the limit an end of the client is noticed`() throws {
        let session = try Session { $0.maximumInFlight = 1 }
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "echo"))
        try session.held.started.wait()
        session.endInput()
        session.closeOutput()
        try session.ended.wait()
    }

    @Test func `at the limit the end of the input is found once calls end`() throws {
        let session = try Session { $0.maximumInFlight = 1 }
        try session.serve()
        try session.send(lines: request("1", "held"), request("2", "held"))
        session.endInput()
        for index in 0..<2 {
            try session.held.started.wait()
            session.held.release(index)
        }
        #expect(try session.receiveLines() == [result("1", "\"released\""), result("2", "\"released\"")])
        try session.ended.wait()
    }

    // MARK: Batches

    @Test func `a batch is answered in one array when all are done, in the order of the requests`() throws {
        let session = try Session()
        try session.serve()
        let batch = [request("1", "held"), request("2", "echo"), notification("held"), request("3", "held"), "7"]
        try session.send(lines: "[\(batch.joined(separator: " ,\t"))]", request("9", "echo"))
        try session.held.started.wait(count: 3)
        #expect(try session.receive() == result("9", "null"))
        session.held.release(2)
        session.held.release(0)
        let expected = [
            result("1", "\"released\""), result("2", "null"), result("3", "\"released\""), failure("null", -32600),
        ]
        #expect(try summary(session.receive() ?? "") == "[\(expected.joined(separator: ","))]")
        session.held.release(1)
        session.endInput()
        #expect(try session.receiveLines().isEmpty)
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func `a batch longer than the limit is started as far as the limit allows, then on`(limit: Int) throws {
        let count = 20
        let session = try Session { $0.maximumInFlight = limit }
        try session.serve()
        let members = (0..<count).map { request("\($0)", "held") }
        try session.send(
            lines: "[\(members.joined(separator: ","))]", "[\(members.joined(separator: ","))]",
            request("9", "fast", "[]"))
        session.endInput()
        var released = 0
        var started = 0
        while released < 2 * count {
            // So many are in flight at once, and never more.
            let more = min(limit, 2 * count - released) - (started - released)
            try session.held.started.wait(count: more)
            started += more
            #expect(try session.counters.inFlight == started - released)
            session.held.release(released)
            released += 1
        }
        let expected = "[" + (0..<count).map { result("\($0)", "\"released\"") }.joined(separator: ",") + "]"
        #expect(try session.receiveLines().sorted() == [expected, expected, result("9", "[]")].sorted())
        try session.ended.wait()
        #expect(!session.held.started.hasFired)
    }

    @Test func `a batch has a limited number of members`() throws {
        let session = try Session { $0.maximumBatchCount = 3 }
        let member = request("1", "echo")
        func batch(_ count: Int) -> String { "[" + Array(repeating: member, count: count).joined(separator: ",") + "]" }
        let answers = try session.answers(to: [batch(3), batch(4), batch(1), "[1,2,3,4]"].joined(separator: "\n"))
        let answer = result("1", "null")
        #expect(
            try answers.map(summary).sorted()
                == [
                    "[\(answer),\(answer),\(answer)]", failure("null", -32600), "[\(answer)]", failure("null", -32600),
                ].sorted())
    }

    @Test func `a batch that ends outside its array is one parse error`() throws {
        let member = request("1", "held")
        for text in [
            "[\(member)", "[\(member),]", "[\(member)]]", "[\(member)] x", "[\(member) \(member)]", "[\(member),{]",
        ] {
            let session = try Session()
            #expect(try session.answers(to: text).map(summary) == [failure("null", -32700)])
            #expect(session.held.all.isEmpty, "nothing of it was started")
        }
    }

    // MARK: A client that does not read

    @Test(arguments: [Session.Ends.pipes, .socketPair])
    func `a client that does not read stops the reading, and finds every answer later`(ends: Session.Ends) throws {
        let session = try Session(ends)
        try session.serve()
        // 200 answers of 256 KiB: 50 MiB, of which 8 may wait.
        let count = 200
        let bytes = 256 << 10
        try session.send((0..<count).map { request("\($0)", "large", "[\(bytes)]") + "\n" }.joined())
        session.endInput()
        // It stands still when the pipe is full and 8 MiB wait; how much a pipe holds is the system's business.
        try waitUntilReadable(session.fromServer)
        var seen: Set<String> = []
        let filler = "\"" + String(repeating: "x", count: bytes) + "\""
        for index in 0..<count {
            let line = try #require(try session.receive())
            let id = try #require(try JSONValue(parsing: line)["id"]?.integer)
            #expect(line.utf8.count == result("\(id)", filler).utf8.count)
            seen.insert("\(id)")
            if index == 0 {
                #expect(try session.counters.answered < count, "reading has stopped at the limit")
            }
        }
        #expect(seen.count == count)
        #expect(try session.receive() == nil)
        try session.ended.wait()
    }

    @Test func `what batches hold back for a slow member stops the reading, too`() throws {
        let session = try Session()
        try session.serve()
        // 9 MiB held back by one member, then a request that could be answered at once.
        let large = Array(repeating: request("1", "large", "[1048576]"), count: 9)
        let batch = "[" + (large + [request("2", "held")]).joined(separator: ",") + "]"
        try session.send(lines: batch, request("3", "echo"))
        try session.held.started.wait()
        try session.send(lines: request("4", "echo"))
        #expect(try session.counters.received == 10, "the batch alone was dealt with")
        session.held.release(0)
        session.endInput()
        let lines = try session.receiveLines()
        #expect(lines.count == 3)
        #expect(lines[0].utf8.count > 9 << 20)
        try session.ended.wait()
    }

    @Test func `a client that goes away while it does not read ends the connection`() throws {
        let session = try Session()
        try session.serve()
        try session.send((0..<100).map { request("\($0)", "large", "[262144]") + "\n" }.joined())
        try waitUntilReadable(session.fromServer)
        session.closeOutput()
        try session.ended.wait()
        let closed = session.events.withLock { $0 }.filter { if case .outputClosed = $0 { true } else { false } }
        #expect(closed == [.outputClosed(EPIPE)], "one line in the log, not a storm")
    }

    @Test func `an idle client that goes away ends the connection, though its requests stay open`() throws {
        let session = try Session()
        try session.serve()
        session.closeOutput()
        try session.ended.wait()
        #expect(session.events.withLock { $0 } == [.outputClosed(EPIPE)])
    }
}
