import KMSEmulator
import Logging
import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

/// Connections that something between the client and the service has forgotten, without a word to either.
@Suite(.timeLimit(.minutes(5))) struct DeadConnectionTests {
    private static let key = Seed.demo.keys[1].versions[0].publicKey ?? ""
    private static let body =
        #"{"code":"SUCCESS","data":{"publicKey":"\#(key.replacing("\n", with: #"\n"#))"}}"#

    @Test func `a call that meets a dead connection is repeated on a new one, and the other idle ones are not tried`()
        async throws
    {
        _ = signal(SIGPIPE, SIG_IGN)
        let (received, firstRemembered) = (Lock(0), Lock(0))
        let (areThree, isForgotten) = (Gate(), Gate())
        let responder = try RawResponder { connection in
            while true {
                try connection.readRequest()
                guard connection.number >= firstRemembered.withLock({ $0 }) else {
                    isForgotten.open()
                    continue
                }
                let count = received.withLock { count in
                    count += 1
                    return count
                }
                // The first three are open before any is answered, so that none is used twice.
                if count == 3 { areThree.open() }
                areThree.wait()
                try connection.send(RawResponder.answer("200 OK", body: Self.body))
            }
        }
        let clock = ManualClock()
        let client = try KMSClient(
            KMSClientConfiguration(
                endpoint: Endpoint(responder.baseURL),
                authentication: .credentials(
                    Credentials(accessKeyID: "id", secretAccessKey: SecretBytes(Array("secret".utf8)))),
                cacheTimeToLive: .zero),
            on: nil, clock: clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, random: { 0 })

        try await withThrowingTaskGroup { group in
            for number in 1...3 {
                group.addTask { try await client.publicKey(ClientFixture.query("k\(number)")) }
            }
            for try await answer in group { #expect(answer.attempts == 1) }
        }
        firstRemembered.withLock { $0 = 3 }
        clock.advance(by: .seconds(6))
        async let answer = client.publicKey(ClientFixture.query("k4"))
        try await onOwnThread { isForgotten.wait() }
        // The dead connection's time is over.
        clock.advance(by: .seconds(3))
        _ = await client.status()
        #expect(try await answer.attempts == 2)
        #expect(try await client.publicKey(ClientFixture.query("k5")).attempts == 1)
        #expect(responder.requests.count == 6)
        #expect(responder.connectionCount == 4)
    }
}
