import KMSJSONRPC
import KMSPlatform
import Testing

/// Descriptors as hosts hand them over.
@Suite struct HostDescriptorTests {
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
                input: input, output: output, framing: LineFraming(maximumMessageBytes: 100),
                maximumBatchCount: 1, maximumInFlight: 1)
            configuration.stopDescriptors = []
            // Nothing to read from a descriptor below 0, which `poll` passes over: the stop ends it.
            let stop = Signal()
            stop.fire()
            configuration.stopDescriptors = [stop.descriptor]
            let ending: ConnectionEnding = Connection(configuration, on: try EventLoop(), methods: []).run()
            #expect(ending != .endOfInput)
        }
    }
}
