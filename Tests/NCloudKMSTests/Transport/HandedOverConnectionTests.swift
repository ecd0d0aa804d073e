import CKMSOpenSSL
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// libcurl hands a connection from a transfer that ends to one that begins, within one turn.
@Suite(.timeLimit(.minutes(5))) struct HandedOverConnectionTests {
    /// Longer than what libcurl reads at once.
    private static func answer(to target: String) -> String {
        RawResponder.answer("200 OK", body: target + String(repeating: " ", count: 5_000))
    }

    private static let surplus = RawResponder.answer("200 OK", body: "/surplus")

    private static func target(of request: RawConnection.Request) -> String {
        String(request.head.split(separator: " ").dropFirst().first ?? "")
    }

    /// When the server may answer, and whether it has.
    private struct Permission: Sendable {
        let requests = Lock(0)
        private let mayAnswer = Gate()
        private let hasAnswered = Gate()

        func wait(_ answer: () throws -> Void) rethrows {
            requests.withLock { $0 += 1 }
            mayAnswer.wait()
            try answer()
            hasAnswered.open()
        }

        /// Has the server answer the one request that it has.
        func give() {
            mayAnswer.open()
            hasAnswered.wait()
        }
    }

    /// Begins a request some turns after the answer to another has come, and returns what came of it.
    private static func second(
        _ transfers: Transfers, _ baseURL: String, _ permission: Permission, turns: Int
    ) throws -> HTTPResponse {
        let first = try transfers.start(.forTests(baseURL, target: "/1"))
        try transfers.run { _ in permission.requests.withLock { $0 } == 1 }
        permission.give()
        let ended = try transfers.run(turns: turns)
        let second = try transfers.start(.forTests(baseURL, target: "/2"))
        let outcomes = try transfers.run { $0.count + ended.count == 2 }
        let response = try #require(ended[first] ?? outcomes[first]).get()
        #expect(String(decoding: response.body, as: UTF8.self).split(separator: " ") == ["/1"])
        return try #require(outcomes[second]).get()
    }

    /// Among these numbers is that of the turns before the one in which the first ends; two are for session tickets.
    private static let turns = 0...4

    @Test(arguments: turns)
    func `a request that begins in the turn in which another ends has no surplus answer`(turns: Int) throws {
        let permission = Permission()
        let responder = try RawResponder { connection in
            while true {
                let target = Self.target(of: try connection.readRequest())
                try permission.wait { try connection.send(Self.answer(to: target) + Self.surplus) }
            }
        }
        let response = try Self.second(try Transfers(), responder.baseURL, permission, turns: turns)
        #expect(String(decoding: response.body, as: UTF8.self).split(separator: " ") == ["/2"])
        #expect(responder.requests.map(Self.target(of:)) == ["/1", "/2"])
    }

    @Test(arguments: turns, [TLS1_2_VERSION, TLS1_3_VERSION])
    func `by TLS, too, it has no surplus answer`(turns: Int, version: CInt) throws {
        let permission = Permission()
        let authority = try TestAuthority()
        let context = try TLSServerContext(try authority.makeIdentity(), version: version)
        let responder = try RawResponder { connection in
            try connection.withDescriptor { descriptor in
                let end = try TLSServerEnd(context, socket: descriptor)
                while true {
                    let target = try end.readTarget()
                    try permission.wait { try end.write(Self.answer(to: target), Self.surplus) }
                }
            }
        }
        let transfers = try Transfers(.forTests(caFile: authority.file))
        let response = try Self.second(transfers, "https://127.0.0.1:\(responder.port)", permission, turns: turns)
        #expect(String(decoding: response.body, as: UTF8.self).split(separator: " ") == ["/2"])
    }

    @Test(arguments: turns)
    func `a connection that was handed over is not taken for an idle one`(turns: Int) throws {
        let requests = Lock(0)
        let mayAnswer = ["/0": Gate(), "/silent": Gate(), "/1": Gate(), "/2": Gate()]
        let hasAnswered = Gate()
        defer { mayAnswer["/silent"]?.open() }
        let responder = try RawResponder { connection in
            while true {
                let target = Self.target(of: try connection.readRequest())
                requests.withLock { $0 += 1 }
                mayAnswer[target]?.wait()
                try connection.send(Self.answer(to: target))
                if target == "/1" { hasAnswered.open() }
            }
        }
        let clock = ManualClock()
        let transfers = try Transfers(clock: clock)
        // Another connection, which is kept and will be dead.
        mayAnswer["/0"]?.open()
        #expect(try transfers.response(to: .forTests(responder.baseURL, target: "/0")).status == 200)
        let silent = try transfers.start(.forTests(responder.baseURL, target: "/silent"))
        try transfers.run { _ in requests.withLock { $0 } == 2 }

        let first = try transfers.start(.forTests(responder.baseURL, target: "/1"))
        try transfers.run { _ in requests.withLock { $0 } == 3 }
        mayAnswer["/1"]?.open()
        hasAnswered.wait()
        let ended = try transfers.run(turns: turns)
        let second = try transfers.start(.forTests(responder.baseURL, target: "/2"))
        let outcomes = try transfers.run { outcomes in
            requests.withLock { $0 } == 4 && (outcomes[first] != nil || ended[first] != nil)
        }
        #expect(outcomes[second] == nil)
        clock.advance(by: .seconds(2))
        transfers.multi.cancel(silent)
        mayAnswer["/2"]?.open()
        #expect(try transfers.run { $0[second] != nil }[second]?.get().status == 200)
        #expect(responder.requests.map(Self.target(of:)) == ["/0", "/silent", "/1", "/2"])
    }
}
