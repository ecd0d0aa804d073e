import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

@Suite struct ServedAnswerTests {
    @Test func `a key is served over TLS to a client that trusts the certificate`() async throws {
        let emulator = try Emulator()
        defer { emulator.stop() }
        let (status, response) = try await Curl.send(SignedRequest(), to: emulator)
        #expect(status == 0)
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == "application/json")
        #expect(response.headers["x-ncp-apigw-request-id"]?.utf8.count == 32)
        let data = try JSONValue(parsing: response.body)["data"]
        #expect(data?["publicKey"]?.string == Seed.demo.keys[0].versions[2].publicKey)
        #expect(emulator.state.perKey == ["demo-rsa": 1])
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `the certificate is valid for every name of the loopback interface`(host: String) async throws {
        let emulator = try Emulator()
        defer { emulator.stop() }
        let url = "https://\(host):\(emulator.port)/"
        let (status, response) = try await Curl.send(["-4", url], trusting: emulator.certificateFile)
        #expect(status == 0)
        #expect(response.status == 404)
    }

    @Test(arguments: [("127.0.0.1", true), ("::1", true), ("127.0.0.2", false)])
    func `the certificate verifies as a chain for both loopback addresses`(
        address: String, isGood: Bool
    ) async throws {
        let emulator = try Emulator()
        defer { emulator.stop() }
        let file = try #require(emulator.certificateFile)
        let shown = try await Program.run(
            "/usr/bin/openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(emulator.port)", "-CAfile", file, "-verify_ip", address,
                "-x509_strict",
            ])
        #expect(shown.output.contains("Verification: OK") == isGood)
    }

    @Test func `a client that does not trust it gets no connection`() async throws {
        let emulator = try Emulator()
        defer { emulator.stop() }
        let (status, _) = try await Curl.send([emulator.endpoint], trusting: nil)
        #expect(status == 60)  // CURLE_PEER_FAILED_VERIFICATION
    }

    @Test func `the certificate file is private and goes with the emulator`() throws {
        let emulator = try Emulator()
        let file = try #require(emulator.certificateFile)
        var info = stat()
        #expect(stat(file, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        #expect(try FileContents.of(file) == Array((emulator.certificatePEM ?? "").utf8))
        emulator.stop()
        #expect(stat(file, &info) == -1)
        emulator.stop()
    }

    @Test func `several emulators run at once and can be stopped while connections are open`() throws {
        let first = try Emulator(.init(usesTLS: false))
        let second = try Emulator(.init(usesTLS: false))
        let clients = [try RawClient(first), try RawClient(second)]
        for client in clients { client.send(SignedRequest().message) }
        #expect(clients.allSatisfy { $0.readResponse()?.status == 200 })
        first.stop()
        #expect(clients[0].readToEnd().end == .closed)
        clients[1].send(SignedRequest().message)
        #expect(clients[1].readResponse()?.status == 200)
        second.stop()
    }

    @Test func `a taken port is an error that says so`() throws {
        let emulator = try Emulator(.init(usesTLS: false))
        defer { emulator.stop() }
        let error = #expect(throws: PlatformError.self) { _ = try Emulator(.init(usesTLS: false, port: emulator.port)) }
        #expect(error?.errorNumber == EADDRINUSE)
    }

    @Test func `Date and the check of timestamps follow the injected clock`() throws {
        let clock = ManualClock(wallClockMilliseconds: 784_111_777_000)
        let emulator = try Emulator(.init(usesTLS: false, clock: clock))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest(timestamp: 784_111_777_000).message)
        let response = client.readResponse()
        #expect(response?.status == 200)
        #expect(response?.headers["date"] == "Sun, 06 Nov 1994 08:49:37 GMT")
        client.send(SignedRequest().message)
        let refused = client.readResponse()
        #expect(refused?.status == 401)
        #expect(refused?.headers["date"] == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(emulator.state.signaturesRefused == 1)
    }

    @Test func `request ids differ`() throws {
        let emulator = try Emulator(.init(usesTLS: false))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        var ids: Set<String> = []
        for _ in 0..<20 {
            client.send(SignedRequest().message)
            ids.insert(client.readResponse()?.headers["x-ncp-apigw-request-id"] ?? "")
        }
        #expect(ids.count == 20)
        #expect(!ids.contains(""))
        #expect(emulator.state.perConnection == [20])
    }

    @Test func `the throttle counts by the injected clock and can be lifted`() throws {
        let clock = ManualClock()
        let emulator = try Emulator(.init(usesTLS: false, throttlePerSecond: 2, clock: clock))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        func statuses(_ count: Int) -> [Int?] {
            (0..<count).map { _ in
                client.send(SignedRequest(timestamp: clock.wallClockMilliseconds).message)
                return client.readResponse()?.status
            }
        }
        #expect(statuses(4) == [200, 200, 429, 429])
        #expect(emulator.state.throttled == 2)
        clock.advance(by: .seconds(1))
        #expect(statuses(3) == [200, 200, 429])
        emulator.setThrottle(requestsPerSecond: nil)
        #expect(statuses(5) == [200, 200, 200, 200, 200])
        emulator.reset()
        #expect(statuses(3) == [200, 200, 429])
    }

    @Test func `raw answers replace the headers of the emulator`() throws {
        let answer = Answer(
            status: 299, contentType: "a/b", headers: [.init("Date", "rubbish"), .init("Age", "7")],
            body: Array("odd".utf8))
        let key = Seed.Key(keyTag: "odd", keyType: .rsa2048, rawAnswer: answer)
        let emulator = try Emulator(.init(seed: Seed(keys: [key]), usesTLS: false))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest(keyTag: "odd").message)
        let text = try #require(client.readResponse())
        #expect(text.status == 299)
        #expect(text.headers["date"] == "rubbish")
        #expect(text.headers["age"] == "7")
        #expect(text.headers["content-type"] == "a/b")
        #expect(text.body == "odd")
    }

    @Test func `a large raw answer arrives whole`() async throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20)
        let answer = Answer(status: 200, contentType: "text/plain", body: body)
        let key = Seed.Key(keyTag: "big", keyType: .rsa2048, rawAnswer: answer)
        let emulator = try Emulator(.init(seed: Seed(keys: [key])))
        defer { emulator.stop() }
        let (status, response) = try await Curl.send(SignedRequest(keyTag: "big"), to: emulator)
        #expect(status == 0)
        #expect(response.body.utf8.count == body.count)
    }
}
