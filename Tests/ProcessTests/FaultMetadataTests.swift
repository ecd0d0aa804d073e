import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The metadata service of a server, as it should be and as it should not.
@Suite(.timeLimit(.minutes(5))) struct FaultMetadataTests {
    private static let key = Seed.AccessKey.demo
    private static let path = "/latest/meta-data/iam/security-credentials/"

    private static func document(_ members: String, expires: String = "2099-01-01T00:00:00Z") -> String {
        """
        {"AccessKeyId":"\(key.id)","SecretAccessKey":"\(key.secret)","Expiration":"\(expires)"\(members)}
        """
    }

    /// A metadata service that names one role and answers for it with a script.
    private static func service(_ steps: [RawResponder.Step]) throws -> RawResponder {
        try RawResponder { connection in
            while true {
                let request = try connection.readRequest()
                if request.head.hasPrefix("GET \(path) ") {
                    try connection.send(RawResponder.answer("200 OK", body: "role-1\n"))
                    continue
                }
                for step in steps {
                    switch step {
                    case .send(let text): try connection.send(text)
                    case .waitUntilPeerCloses: connection.waitUntilPeerCloses()
                    default: return connection.close()
                    }
                }
            }
        }
    }

    private func run(
        _ metadata: String, _ kms: EmulatedKMS, body: (ServiceProcess) async throws -> Void
    ) async throws -> String {
        let environment = kms.environment.filter { !$0.key.contains("ACCESS") }
            .merging(["NCLOUD_METADATA_API_ENDPOINT": metadata]) { _, new in new }
        let outcome = try await ServiceProcess.run(environment: environment, body: body)
        #expect(outcome.status == 0)
        return outcome.log
    }

    @Test func `the role's keys sign, and are asked for once`() async throws {
        let metadata = try Self.service([
            .send(RawResponder.answer("200 OK", body: Self.document(#","Code":"Success","Message":null"#)))
        ])
        try await EmulatedKMS.with { kms in
            _ = try await run(metadata.baseURL, kms) { process in
                for version in [1, 3, 1, 3] {
                    try process.beginGetPublicKey(version, #"{"keyTag":"demo-rsa","keyVersion":\#(version)}"#)
                }
                for _ in 0..<4 { #expect(try await process.nextFaultAnswer().attempts == 1) }
                let credentials = try await process.status()["credentials"]
                #expect(credentials?["source"]?.string == "server role role-1")
                #expect(credentials?["accessKeyId"]?.string == "DEMO…")
            }
            #expect(kms.emulator.state.signaturesRefused == 0)
        }
        #expect(
            metadata.requests.map { String($0.head.prefix { $0 != "\r\n" }) } == [
                "GET \(Self.path) HTTP/1.1", "GET \(Self.path)role-1 HTTP/1.1",
            ])
        for request in metadata.requests { #expect(!request.head.lowercased().contains("x-ncp")) }
    }

    /// What the service answers for the role's keys, and a word of the message.
    private static let wrong: [(name: String, steps: [RawResponder.Step], word: String)] = [
        (
            "half an answer", [.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"AccessKeyId\":\"AK"), .reset],
            "closed"
        ),
        ("another cloud's", [.send(RawResponder.answer("200 OK", body: document(#","Token":"x""#)))], "another cloud"),
        ("a failure", [.send(RawResponder.answer("200 OK", body: document(#","Code":"Failed""#)))], "Failed"),
        ("no JSON", [.send(RawResponder.answer("200 OK", body: "<html></html>"))], "JSON"),
        ("half a pair", [.send(RawResponder.answer("200 OK", body: #"{"AccessKeyId":"AK"}"#))], "lacks"),
        ("an error", [.send(RawResponder.answer("500 Oops"))], "500"),
        ("no such role", [.send(RawResponder.answer("404 None"))], "no role"),
        (
            "keys of the past",
            [.send(RawResponder.answer("200 OK", body: document("", expires: "2001-01-01T00:00:00Z")))], "expired"
        ),
        ("a redirect", [.send(RawResponder.answer("302 Go", headers: ["Location: http://127.0.0.1:9/"]))], "302"),
    ]

    @Test(arguments: wrong.indices)
    func `keys that can't be used are 1001, named in the message and not asked for again`(index: Int) async throws {
        let (name, steps, word) = Self.wrong[index]
        let metadata = try Self.service(steps)
        try await EmulatedKMS.with { kms in
            let log = try await run(metadata.baseURL, kms) { process in
                for _ in 0..<3 {
                    let answer = try await process.getPublicKey()
                    #expect(answer.code == 1001, "\(name)")
                    #expect(answer.message.contains(word), "\(answer.message)")
                    #expect(!answer.message.contains(Self.key.secret))
                }
            }
            #expect(!log.contains(Self.key.secret))
            #expect(kms.emulator.state.total == 0)
        }
        #expect(metadata.requests.count == 2)
    }

    @Test func `trailers without an end are 1001 at once`() async throws {
        let metadata = try RawResponder { connection in
            try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nrole-1\r\n0\r\n")
            while true { try connection.send(String(repeating: "X-Filler: 0123456789\r\n", count: 1_000)) }
        }
        defer { metadata.stop() }
        try await EmulatedKMS.with { kms in
            _ = try await run(metadata.baseURL, kms) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1001)
                #expect(answer.message.contains("larger than 64 KiB"), "\(answer.message)")
            }
        }
    }

    @Test func `an absent service is 1001, without another look`() async throws {
        let responder = try RawResponder([])
        responder.stop()
        try await EmulatedKMS.with { kms in
            _ = try await run("http://127.0.0.1:9", kms) { (process) async throws in
                for _ in 0..<3 { #expect(try await process.getPublicKey().code == 1001) }
            }
        }
    }

    @Test func `calls that wait for a slow service end at their own deadlines, and the others have its keys`()
        async throws
    {
        let gate = Gate()
        let metadata = try RawResponder { connection in
            while true {
                let request = try connection.readRequest()
                if request.head.hasPrefix("GET \(Self.path) ") {
                    try connection.send(RawResponder.answer("200 OK", body: "role-1"))
                } else {
                    gate.wait()
                    try connection.send(RawResponder.answer("200 OK", body: Self.document("")))
                }
            }
        }
        try await EmulatedKMS.with { kms in
            _ = try await run(metadata.baseURL, kms) { process in
                try process.send(Lines.getPublicKey(1))
                try process.send(Lines.getPublicKey(2, "demo-ec", timeoutMilliseconds: 200))
                let late = try await process.nextFaultAnswer()
                #expect(late.code == 1009)
                #expect(late.reason == "credentials")
                #expect(late.message.contains("server role"))
                gate.open()
                #expect(try await process.nextFaultAnswer().code == nil)
            }
            #expect(kms.emulator.state.perKey == ["demo-rsa": 1])
        }
        #expect(metadata.requests.count == 2)
    }

    @Test func `a service that never answers is 1001 after its three seconds`() async throws {
        let metadata = try RawResponder([.readRequest, .waitUntilPeerCloses])
        try await EmulatedKMS.with { kms in
            _ = try await run(metadata.baseURL, kms) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1001)
                #expect(answer.message.contains("took too long"), "\(answer.message)")
                #expect(try await process.getPublicKey().code == 1001)
            }
        }
        #expect(metadata.requests.count == 1)
    }

    @Test(arguments: ["http://192.0.2.1", "http://example.com", "ftp://127.0.0.1"])
    func `an endpoint that anybody could answer for is not asked`(endpoint: String) async throws {
        try await EmulatedKMS.with { kms in
            _ = try await run(endpoint, kms) { process in
                let answer = try await process.getPublicKey()
                #expect(answer.code == 1001)
                #expect(answer.message.contains("NCLOUD_METADATA_API_ENDPOINT"), "\(answer.message)")
            }
        }
    }
}
