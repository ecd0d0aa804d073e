import KMSJSON
import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// The proxy: which calls go through it, and what goes wrong there.
@Suite(.timeLimit(.minutes(5)), .enabled(if: access(Nginx.program, X_OK) == 0, "nginx is not installed"))
struct FaultProxyTests {
    private static let host = "kms.example.com"
    private static let endpoint = "https://kms.example.com"

    /// The emulator behind a server with a certificate for a host that only the proxy leads to.
    private func withService(
        _ body: (_ kms: EmulatedKMS, _ proxy: ConnectProxy, _ variables: [String: String]) async throws -> Void
    ) async throws {
        let emulator = try EmulatedKMS(usesTLS: false)
        defer { emulator.emulator.stop() }
        let authority = try TestAuthority()
        let server = try Nginx(
            identity: authority.makeIdentity(subjects: "DNS:\(Self.host)"),
            server: "location / { proxy_pass \(emulator.emulator.endpoint); }")
        let proxy = try ConnectProxy(leadingTo: server.port)
        defer { proxy.stop() }
        try await body(
            emulator, proxy, ["NCLOUD_KMS_CA_FILE": authority.file, "NCLOUD_KMS_ENDPOINT": Self.endpoint])
    }

    @Test(arguments: ["NCLOUD_KMS_PROXY", "HTTPS_PROXY", "https_proxy", "--proxy"])
    func `calls go through the proxy, on connections that are kept`(origin: String) async throws {
        try await withService { kms, proxy, variables in
            let isFlag = origin.hasPrefix("--")
            var variables = variables
            if !isFlag { variables[origin] = proxy.url }
            _ = try await ServiceProcess.run(
                endpoint: Self.endpoint, arguments: isFlag ? [origin, proxy.url] : [], more: variables
            ) { process in
                for _ in 0..<5 {
                    let answer = try await process.getPublicKey()
                    #expect(answer.code == nil, "\(answer.message)")
                    #expect(answer.attempts == 1)
                }
            }
            #expect(proxy.requests.count == 1)
            #expect(proxy.requests.first?.head.hasPrefix("CONNECT \(Self.host):443 HTTP/1.1\r\n") == true)
            #expect(kms.emulator.state.total == 5)
        }
    }

    @Test func `our own variable beats the common ones, and its password is nowhere`() async throws {
        try await withService { kms, proxy, variables in
            var variables = variables
            variables["HTTPS_PROXY"] = "http://127.0.0.1:9"
            variables["NCLOUD_KMS_PROXY"] = proxy.url.replacing("//", with: "//user:plantedproxyword@")
            let outcome = try await ServiceProcess.run(
                endpoint: Self.endpoint, arguments: ["--log-level", "trace"], more: variables
            ) { process in
                #expect(try await process.getPublicKey().code == nil)
                proxy.stop()
                try process.beginGetPublicKey(2, #"{"keyTag":"demo-ec","timeoutMs":20000}"#)
                let failure = await process.nextLine() ?? ""
                return failure + (try await process.answer(to: Lines.request(3, "getStatus")) ?? "")
            }
            #expect(proxy.requests.first?.head.contains("Proxy-Authorization: Basic ") == true)
            #expect(outcome.result.contains("1008"))
            #expect(!(outcome.result + outcome.log).contains("plantedproxyword"))
            #expect(kms.emulator.state.total == 1)
        }
    }

    /// The proxy's answer to CONNECT, and what the client sees.
    @Test(arguments: [
        (407, 1), (403, 1), (501, 1), (500, 3), (502, 3), (503, 3), (504, 3),
    ])
    func `a proxy that refuses is 1008, repeated where that may help`(status: Int, attempts: Int) async throws {
        let proxy = try RawResponder([.readRequest, .send(RawResponder.answer("\(status) No", body: "no"))])
        defer { proxy.stop() }
        _ = try await ServiceProcess.run(endpoint: Self.endpoint, more: ["HTTPS_PROXY": proxy.baseURL]) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == attempts)
            #expect(answer.message.contains("proxy") && answer.message.contains("\(status)"), "\(answer.message)")
            #expect(answer.httpStatus == nil)
            // What is not repeated, as somebody has to change something, is not worth repeating for the caller either.
            #expect(answer.isRetryable == (attempts > 1))
        }
        #expect(proxy.connectionCount == attempts)
    }

    @Test func `a CONNECT without an end holds up nobody`() async throws {
        let proxy = try RawResponder { connection in
            try connection.readRequest()
            try connection.send("HTTP/1.1 200 OK\r\n")
            while true { try connection.send(String(repeating: "X-Filler: 0123456789\r\n", count: 1_000)) }
        }
        defer { proxy.stop() }
        _ = try await ServiceProcess.run(endpoint: Self.endpoint, more: ["HTTPS_PROXY": proxy.baseURL]) { process in
            for number in 1...8 {
                try process.beginGetPublicKey(number, #"{"keyTag":"k\#(number)","timeoutMs":1000}"#)
            }
            for answer in try await process.nextFaultAnswers(8) {
                #expect([1008, 1009].contains(answer.code), "\(answer.message)")
            }
            // Without a limit there is no answer for as long as the proxy sends, so the suite's time limit would end this.
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:9", 3, "can't be reached"), ("http://[::1]:9", 3, "can't be reached"),
        ("http://127.0.0.1", 3, "can't be reached"), ("http://proxy.invalid:1", 1, "no address"),
    ])
    func `a proxy that is not there is named as such`(url: String, attempts: Int, words: String) async throws {
        _ = try await ServiceProcess.run(endpoint: Self.endpoint, more: ["HTTPS_PROXY": url]) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == attempts)
            #expect(answer.message.contains("proxy") && answer.message.contains(words), "\(answer.message)")
        }
    }

    @Test(arguments: [
        ["HTTPS_PROXY": "nonsense://proxy"], ["https_proxy": "http://user:plantedproxyword@x@proxy:1"],
        ["HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "kms.example.com:x"],
    ])
    func `a malformed variable of other programs stops the calls that would use it, and those alone`(
        variables: [String: String]
    ) async throws {
        let outcome = try await ServiceProcess.run(endpoint: Self.endpoint, more: variables) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.attempts == nil)
            #expect(answer.isRetryable == false)
            let name = variables["NO_PROXY"] == nil ? variables.keys.first ?? "" : "NO_PROXY"
            #expect(answer.message.hasPrefix("\(name) "), "\(answer.message)")
            return answer.message
        }
        #expect(!(outcome.result + outcome.log).contains("plantedproxyword"))
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(more: variables) { (process) async throws in
                #expect(try await process.getPublicKey().code == nil)
            }
        }
    }

    @Test(arguments: [
        ["NO_PROXY": "other.example,.invalid"], ["no_proxy": "other.example,.invalid"], ["NO_PROXY": "*.invalid"],
        ["NO_PROXY": "kms.invalid:443"], ["NO_PROXY": "other.example\r\n kms.invalid\r"], ["NO_PROXY": "*"],
    ])
    func `a host that is excepted is reached directly`(exceptions: [String: String]) async throws {
        let proxy = try RawResponder([.readRequest])
        defer { proxy.stop() }
        let environment = exceptions.merging(["HTTPS_PROXY": proxy.baseURL]) { $1 }
        _ = try await ServiceProcess.run(endpoint: "https://kms.invalid", more: environment) { process in
            let answer = try await process.getPublicKey()
            #expect(answer.code == 1008)
            #expect(answer.message.contains("kms.invalid"), "\(answer.message)")
        }
        #expect(proxy.connectionCount == 0)
    }

    @Test func `neither loopback nor the metadata service is ever proxied`() async throws {
        let proxy = try RawResponder([.readRequest])
        defer { proxy.stop() }
        let metadata = try RawResponder([.readRequest, .send(RawResponder.answer("404 None"))])
        defer { metadata.stop() }
        let variables = ["NCLOUD_KMS_PROXY": proxy.baseURL, "NCLOUD_METADATA_API_ENDPOINT": metadata.baseURL]
        try await EmulatedKMS.with { kms in
            _ = try await kms.run(more: variables) { (process) async throws in
                #expect(try await process.getPublicKey().code == nil)
            }
            let noKeys = ["NCLOUD_ACCESS_KEY_ID": "", "NCLOUD_SECRET_ACCESS_KEY": ""]
            _ = try await kms.run(more: variables.merging(noKeys) { $1 }) { (process) async throws in
                #expect(try await process.getPublicKey().code == 1001)
            }
        }
        #expect(metadata.requests.count == 1)
        #expect(proxy.connectionCount == 0)
    }
}
