import KMSJSON
import KMSEmulator
import KMSPlatform
import Testing

@Suite(.timeLimit(.minutes(5))) struct ControlTests {
    private let emulator: Emulator

    init() throws {
        emulator = try Emulator(.init(usesTLS: false, faults: [try Fault(parsing: "status=500,key=start")]))
    }

    private func control(_ method: String, _ name: String, _ body: String = "") throws -> Response {
        let client = try RawClient(emulator)
        let lines = ["\(method) /_emulator/\(name) HTTP/1.1", "Host: x", "Content-Length: \(body.utf8.count)"]
        client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        return try #require(client.readResponse())
    }

    private func status(_ request: SignedRequest = SignedRequest()) throws -> Int? {
        let client = try RawClient(emulator)
        client.send(request.message)
        return client.readResponse()?.status
    }

    @Test func `the state counts requests, but not control requests`() async throws {
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        for _ in 0..<3 {
            client.send(SignedRequest().message)
            #expect(client.readResponse()?.status == 200)
        }
        #expect(try status(SignedRequest(keyTag: "nobody", accessKey: .init(id: "x", secret: "y"))) == 401)
        try await emulator.waitForState { $0.openConnections == 1 }
        for _ in 0..<2 {
            let response = try control("GET", "state")
            #expect(response.status == 200)
            let expected =
                #"{"total":4,"perKey":{"demo-rsa":3,"nobody":1},"perConnection":[3,1],"openConnections":1,"#
                + #""openedConnections":2,"signaturesRefused":1,"throttled":0,"faulted":0,"aborted":0}"#
            #expect(response.body == expected)
        }
        withExtendedLifetime(client) {}
    }

    @Test func `faults are replaced, cleared, and come back with a reset`() throws {
        defer { emulator.stop() }
        #expect(try status(SignedRequest(keyTag: "start")) == 500)
        let set = try control("POST", "fault", #"{"faults": ["status=503,code=500", "hang,key=x"]}"#)
        #expect(set.status == 200)
        #expect(set.body == "{}")
        #expect(try status() == 503)
        #expect(try control("GET", "state").status == 200)
        #expect(try status(SignedRequest(keyTag: "start")) == 503)
        #expect(try control("POST", "fault", #"{"faults": []}"#).status == 200)
        #expect(try status() == 200)
        #expect(try control("POST", "reset").status == 200)
        #expect(emulator.state.total == 0)
        #expect(try status(SignedRequest(keyTag: "start")) == 500)
    }

    @Test func `a seed is replaced as a whole or not at all`() throws {
        defer { emulator.stop() }
        #expect(
            try control("PUT", "seed", #"{"keys":[{"keyTag":"n","keyType":"RSA"}]}"#).body.contains("keys[0].keyType"))
        #expect(try status() == 200)
        let seed = #"{"keys":[{"keyTag":"new","keyType":"ECDSA","versions":[{"version":1,"publicKey":"any text"}]}]}"#
        #expect(try control("PUT", "seed", seed).status == 200)
        #expect(try status() == 404)
        let client = try RawClient(emulator)
        client.send(SignedRequest(keyTag: "new").message)
        #expect(client.readResponse()?.body == #"{"code":"SUCCESS","data":{"publicKey":"any text"}}"#)
    }

    @Test func `a large seed fits`() throws {
        defer { emulator.stop() }
        let text = String(repeating: "x", count: 2 << 20)
        let seed = #"{"keys":[{"keyTag":"n","keyType":"ECDSA","rawAnswer":{"status":200,"body":"\#(text)"}}]}"#
        #expect(try control("PUT", "seed", seed).status == 200)
        #expect(try control("PUT", "seed", String(repeating: " ", count: 8 << 20 + 1)).status == 413)
    }

    @Test func `the throttle is set and lifted`() throws {
        defer { emulator.stop() }
        #expect(try control("POST", "throttle", #"{"perSecond": 1}"#).status == 200)
        // Over several seconds one request a second would pass, but not all of a hundred.
        let statuses = try (0..<100).map { _ in try status() }
        #expect(statuses.contains(429))
        #expect(emulator.state.throttled == statuses.count { $0 == 429 })
        for lifted in ["0", "null"] {
            #expect(try control("POST", "throttle", #"{"perSecond": \#(lifted)}"#).status == 200)
            #expect(try (0..<10).allSatisfy { _ in try status() == 200 })
        }
    }

    @Test func `health says that it serves`() throws {
        defer { emulator.stop() }
        let response = try control("GET", "health")
        #expect(response.status == 200)
        #expect(response.body == #"{"status":"ok","version":"\#(ProgramVersion.text)"}"#)
    }

    @Test func `requests are reported without what authenticates them`() throws {
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        var request = SignedRequest(body: #"{"keyVersion":1}"#)
        request.extraHeaders = [
            "X-NCP-OCAPI-Token-Old: SECRET", "Authorization: Bearer SECRET", "X-Repeated: a", "x-repeated: b",
            "x-ncp-apigw-signature-v1: SECRET", "Cookie: SECRET",
        ]
        client.send(request.message)
        #expect(client.readResponse()?.status == 200)
        client.send(SignedRequest(keyTag: "start").message)
        #expect(client.readResponse()?.status == 500)

        let response = try control("GET", "requests")
        #expect(response.status == 200)
        for secret in ["SECRET", Seed.AccessKey.demo.id, Seed.AccessKey.demo.secret] + request.headers.prefix(3) {
            let value = secret.split(separator: " ").last.map(String.init) ?? secret
            // The time is not secret.
            if !secret.hasPrefix("x-ncp-apigw-timestamp") { #expect(!response.body.contains(value), "\(secret)") }
        }
        let report = try JSONValue(parsing: response.body)
        #expect(report["last"]?.integer == 2)
        let requests = try #require(report["requests"]?.elements)
        #expect(requests.count == 2)
        #expect(requests[0]["number"]?.integer == 1)
        #expect(requests[0]["method"]?.string == "POST")
        #expect(requests[0]["path"]?.string == request.target)
        #expect(requests[0]["body"]?.string == request.body)
        #expect(requests[0]["status"]?.integer == 200)
        #expect(requests[0]["fault"]?.isNull == true)
        let time = try #require(requests[0]["time"]?.string)
        #expect(time.firstMatch(of: /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) != nil, "\(time)")
        let headers = try #require(requests[0]["headers"])
        #expect(headers["x-repeated"]?.string == "a, b")
        #expect(headers["x-ncp-apigw-timestamp"]?.string?.isEmpty == false)
        for name in [
            "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2", "x-ncp-apigw-signature-v1", "x-ncp-ocapi-token-old",
            "authorization", "cookie",
        ] {
            #expect(headers[name]?.string == "<redacted>", "\(name)")
        }
        #expect(requests[1]["status"]?.integer == 500)
        #expect(requests[1]["fault"]?.string == "status=500")
    }

    @Test func `only requests after a number are reported, and a reset forgets them but not their numbers`() throws {
        defer { emulator.stop() }
        func numbers(_ query: String) throws -> [Int?] {
            try JSONValue(parsing: control("GET", "requests\(query)").body)["requests"]?.elements?
                .map { $0["number"]?.integer } ?? [nil]
        }
        for _ in 0..<3 { #expect(try status() == 200) }
        #expect(try numbers("") == [1, 2, 3])
        #expect(try numbers("?since=2") == [3])
        #expect(try numbers("?since=3") == [])
        #expect(try control("POST", "reset").status == 200)
        #expect(try numbers("") == [])
        #expect(try status() == 200)
        #expect(try numbers("?since=3") == [4])
    }

    @Test(arguments: ["hang", "close", "reset", "reset=body", "delay=300000"])
    func `a request that is never answered is reported, too`(fault: String) async throws {
        defer { emulator.stop() }
        emulator.setFaults([try Fault(parsing: fault)])
        let client = try RawClient(emulator)
        client.send(SignedRequest(body: "the body").message)
        // Its body came with its headers, so that both are seen to before another request is read.
        try await emulator.waitForState { $0.total == 1 }
        let request = try JSONValue(parsing: control("GET", "requests").body)["requests"]?.elements?.first
        #expect(request?["body"]?.string == "the body")
        // The answer whose body is cut has one.
        #expect(request?["status"]?.isNull == (fault != "reset=body"))
        #expect(request?["fault"]?.string == fault)
        withExtendedLifetime(client) {}
    }

    @Test(arguments: [
        ("GET", "nothing", "", 404), ("POST", "health", "", 405), ("POST", "requests", "", 405),
        ("GET", "requests?since=-1", "", 400), ("GET", "requests?since=x", "", 400), ("GET", "requests?n=1", "", 400),
        ("POST", "state", "", 405), ("GET", "reset", "", 405), ("POST", "seed", "{}", 405),
        ("PUT", "seed", "", 400), ("PUT", "seed", "{}", 400), ("POST", "fault", "", 400), ("POST", "fault", "[]", 400),
        ("POST", "fault", #"{"faults":"hang"}"#, 400), ("POST", "fault", #"{"faults":["hng"]}"#, 400),
        ("POST", "fault", #"{"faults":[1]}"#, 400), ("POST", "fault", #"{"fault":[]}"#, 400),
        ("POST", "throttle", #"{"perSecond":-1}"#, 400), ("POST", "throttle", #"{"perSecond":1.5}"#, 400),
        ("POST", "throttle", "{}", 400),
    ])
    func `a wrong control request gets the reason`(method: String, name: String, body: String, expected: Int) throws {
        defer { emulator.stop() }
        let response = try control(method, name, body)
        #expect(response.status == expected)
        #expect(try JSONValue(parsing: response.body)["error"]?.string?.isEmpty == false)
    }

    @Test func `close-idle ends connections between requests`() throws {
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200)
        #expect(try control("POST", "close-idle").status == 200)
        #expect(client.readToEnd().end == .closed)
    }

    /// Such connections were not counted, and stayed open.
    @Test func `a client that asks for the health first is counted like any other`() throws {
        defer { emulator.stop() }
        let client = try RawClient(emulator)
        client.send("GET /_emulator/health HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.readResponse()?.status == 200)
        #expect(emulator.state.openedConnections == 0)
        client.send(SignedRequest().message)
        #expect(client.readResponse()?.status == 200)
        #expect(emulator.state.openedConnections == 1)
        #expect(emulator.state.openConnections == 1)
        #expect(emulator.state.perConnection == [1])
        #expect(try control("POST", "close-idle").status == 200)
        #expect(client.readToEnd().end == .closed)
    }
}
