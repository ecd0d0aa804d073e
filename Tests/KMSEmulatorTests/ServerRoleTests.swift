import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The two paths of a VPC server's metadata service.
@Suite(.timeLimit(.minutes(5))) struct ServerRoleTests {
    private static let path = "/latest/meta-data/iam/security-credentials/"
    private static let clock = ManualClock(wallClockMilliseconds: 1_700_000_000_999)

    private func get(_ path: String, of emulator: Emulator, method: String = "GET") throws -> Response {
        let client = try RawClient(emulator)
        client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nX-Auth-Token: SECRET\r\nContent-Length: 0\r\n\r\n")
        return try #require(client.readResponse())
    }

    @Test func `it names its role, and gives its key pair with an end`() throws {
        let emulator = try Emulator(.init(usesTLS: false, servesMetadata: true, clock: Self.clock))
        defer { emulator.stop() }
        let list = try get(Self.path, of: emulator)
        #expect(list.status == 200)
        #expect(list.headers["content-type"] == "text/plain")
        #expect(list.body == "demo-role")
        let document = try get(Self.path + list.body, of: emulator)
        #expect(document.status == 200)
        let expected =
            #"{"AccessKeyId":"\#(Seed.AccessKey.demo.id)","SecretAccessKey":"\#(Seed.AccessKey.demo.secret)","#
            + #""Expiration":"2023-11-15T04:13:20Z","Code":"Success","Message":""}"#
        #expect(document.body == expected)
        #expect(try get(Self.path + "other", of: emulator).status == 404)
        #expect(try get(Self.path, of: emulator, method: "POST").status == 405)
    }

    @Test func `the role is the seed's, and changes with it`() throws {
        let keys = #""accessKeys":[{"id":"A","secret":"a"},{"id":"B","secret":"b"}],"keys":[]"#
        let seed = try Seed(parsing: Array("{\(keys),\"role\":{\"id\":\"web\",\"accessKeyId\":\"B\"}}".utf8))
        let emulator = try Emulator(.init(seed: seed, usesTLS: false, servesMetadata: true))
        defer { emulator.stop() }
        #expect(try get(Self.path, of: emulator).body == "web")
        #expect(try JSONValue(parsing: get(Self.path + "web", of: emulator).body)["SecretAccessKey"]?.string == "b")
        emulator.setSeed(.demo)
        #expect(try get(Self.path, of: emulator).body == "demo-role")
    }

    @Test func `its requests are recorded, neither faulted nor counted`() throws {
        let emulator = try Emulator(
            .init(usesTLS: false, servesMetadata: true, faults: [try Fault(parsing: "status=500")]))
        defer { emulator.stop() }
        #expect(try get(Self.path, of: emulator).status == 200)
        #expect(emulator.state.total == 0)
        let report = try get("/_emulator/requests", of: emulator).body
        let request = try JSONValue(parsing: report)["requests"]?.elements?.first
        #expect(request?["path"]?.string == Self.path)
        #expect(request?["status"]?.integer == 200)
        #expect(request?["headers"]?["x-auth-token"]?.string == "<redacted>")
        #expect(!report.contains("SECRET"))
    }

    @Test func `its answers have the latency and the jitter of others, and no faults`() throws {
        let emulator = try Emulator(
            .init(
                usesTLS: false, servesMetadata: true, latency: .milliseconds(100), jitter: .milliseconds(200),
                faults: [try Fault(parsing: "status=503"), try Fault(parsing: "delay=60000")], random: { 0.5 }))
        defer { emulator.stop() }
        let start = SystemClock().now
        #expect(try get(Self.path, of: emulator).body == "demo-role")
        #expect((200..<20_000).contains((SystemClock().now - start).milliseconds))
    }

    @Test func `a late answer holds nobody up, is recorded before, and is given after close-idle`() async throws {
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        // For the jitter of the request, when it begins.
        let random: @Sendable () -> Double = {
            continuation.yield()
            return 0
        }
        let emulator = try Emulator(
            .init(
                usesTLS: false, servesMetadata: true, latency: .milliseconds(300), jitter: .nanoseconds(1),
                random: random))
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send("GET \(Self.path) HTTP/1.1\r\nHost: x\r\n\r\n")
        for await _ in begun { break }
        let report = try get("/_emulator/requests", of: emulator).body
        let request = try JSONValue(parsing: report)["requests"]?.elements?.first
        #expect(request?["body"]?.string == "")
        #expect(request?["status"]?.isNull == true)
        emulator.closeIdleConnections()
        #expect(client.readResponse()?.body == "demo-role")
        #expect(client.readToEnd().end == .closed)
        #expect(emulator.state.aborted == 0)
    }

    @Test func `without the service there is no key pair`() throws {
        let emulator = try Emulator(.init(usesTLS: false))
        defer { emulator.stop() }
        #expect(try get(Self.path, of: emulator).status == 404)
        #expect(try get(Self.path + "demo-role", of: emulator).status == 404)
        #expect(emulator.state.total == 2)
    }
}
