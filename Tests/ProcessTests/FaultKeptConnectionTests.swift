import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Answers that nobody asked for, on connections that are kept.
@Suite(.timeLimit(.minutes(5))) struct FaultKeptConnectionTests {
    /// The key of the first demonstration key, which is no answer to any call here.
    private static let otherKeyBody =
        #"{"code":"SUCCESS","data":{"publicKey":\#(quoted(Seed.demo.keys[0].versions[0].publicKey ?? ""))}}"#

    @Test func `a second answer to one request is never another key's`() async throws {
        let responder = try RawResponder { connection in
            while true {
                try connection.readRequest()
                // At once, so that the second is there when the client has the first; and longer than what libcurl reads
                // at a time, so that libcurl itself does not see the second.
                let long = keyBody + String(repeating: " ", count: 5_000)
                try connection.send(
                    RawResponder.answer("200 OK", body: long) + RawResponder.answer("200 OK", body: Self.otherKeyBody))
            }
        }
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: responder.baseURL) { process in
            for number in 1...100 {
                let answer = try await process.getPublicKey(#"{"keyTag":"k\#(number)"}"#)
                #expect(answer.publicKey == demoKey, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
        }
        #expect(responder.requests.count == 100)
    }

    /// What a gateway sends to a connection that it is tired of.
    @Test(arguments: [
        "400 Bad Request", "401 Unauthorized", "403 Forbidden", "408 Request Timeout", "500 Oops", "200 OK",
    ])
    func `a stray answer on an idle connection fails no call and costs no attempt`(status: String) async throws {
        let stray = RawResponder.answer(
            status, headers: ["Connection: close"], body: status == "200 OK" ? Self.otherKeyBody : "{}")
        let connections = (0..<3).map { _ in (mayStray: Gate(), hasStrayed: Gate()) }
        let responder = try RawResponder { connection in
            try connection.readRequest()
            try connection.send(RawResponder.answer("200 OK", body: keyBody))
            guard connection.number < connections.count else { return }
            connections[connection.number].mayStray.wait()
            try connection.send(stray)
            connections[connection.number].hasStrayed.open()
            connection.waitUntilPeerCloses()
        }
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: responder.baseURL) { process in
            for (number, connection) in connections.enumerated() {
                let answer = try await process.getPublicKey(#"{"keyTag":"k\#(number)"}"#)
                #expect(answer.publicKey == demoKey, "\(answer.message)")
                #expect(answer.attempts == 1)
                connection.mayStray.open()
                try await onOwnThread { connection.hasStrayed.wait() }
            }
        }
        #expect(responder.requests.count == 3)
        #expect(responder.connectionCount == 3)
    }

    @Test func `a call that gives up on a dead connection saves the next one from another`() async throws {
        let (received, firstRemembered, areThree) = (Lock(0), Lock(0), Gate())
        let responder = try RawResponder { connection in
            while true {
                try connection.readRequest()
                guard connection.number >= firstRemembered.withLock({ $0 }) else { continue }
                // The first three are open before any is answered, so that none is used twice.
                let count = received.withLock { received in
                    received += 1
                    return received
                }
                if count == 3 { areThree.open() }
                areThree.wait()
                try connection.send(RawResponder.answer("200 OK", body: keyBody))
            }
        }
        defer { responder.stop() }
        _ = try await ServiceProcess.run(endpoint: responder.baseURL) { process in
            for number in 1...3 { try process.beginGetPublicKey(number, #"{"keyTag":"k\#(number)"}"#) }
            for answer in try await process.nextFaultAnswers(3) { #expect(answer.code == nil, "\(answer.message)") }
            firstRemembered.withLock { $0 = 3 }
            #expect(try await process.getPublicKey(#"{"keyTag":"k4","timeoutMs":1200}"#).code == 1009)
            for number in 5...8 {
                let answer = try await process.getPublicKey(#"{"keyTag":"k\#(number)","timeoutMs":5000}"#)
                #expect(answer.code == nil, "\(answer.message)")
                #expect(answer.attempts == 1)
            }
        }
    }

    @Test func `a thousand calls one after another use one connection`() async throws {
        // TLS 1.3, so with session tickets at the beginning.
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(["--rate-per-key", "0"]) { (process) async throws in
                for _ in 0..<1_000 { #expect(try await process.getPublicKey().code == nil) }
            }
            #expect(kms.emulator.state.perConnection == [1_000])
        }
    }
}
