import KMSEmulator
import KMSPlatform
import KMSTestSupport
import Testing

/// Clients in other languages trust the emulator by the variables that they know.
@Suite(.timeLimit(.minutes(5))) struct ProgramTrustTests {
    private static let python = Python(having: "requests")
    private static let node = "/usr/bin/node"

    private static let variables = [
        "NCLOUD_KMS_CA_FILE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    ]
    /// A value in the user's own environment: a file that exists, with another authority.
    private static let elsewhere = [String: String?](
        uniqueKeysWithValues: variables.map { ($0, "/etc/ssl/certs/ca-certificates.crt") })

    private func run(_ command: [String], _ options: [String] = []) async throws -> Program.Result {
        try await Program.run(Program.emulator, options + ["--"] + command, environment: Self.elsewhere)
    }

    @Test func `every variable names the authority's file`() async throws {
        let result = try await run(["/usr/bin/env"])
        let file = try #require(value(of: "NCLOUD_KMS_CA_FILE", in: result.output))
        #expect(file.hasSuffix("/ca.pem"))
        for name in Self.variables { #expect(value(of: name, in: result.output) == file, "\(name)") }
    }

    @Test func `over plain HTTP the user's own stay as they are, except ours`() async throws {
        let result = try await run(["/usr/bin/env"], ["--http"])
        #expect(value(of: "NCLOUD_KMS_CA_FILE", in: result.output) == nil)
        for name in Self.variables.dropFirst() {
            #expect(value(of: name, in: result.output) == "/etc/ssl/certs/ca-certificates.crt", "\(name)")
        }
    }

    private func value(of name: String, in output: String) -> String? {
        output.split(separator: "\n").first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    @Test func `curl trusts it`() async throws {
        let script = #"curl -sS -o /dev/null -w '%{http_code}' "$NCLOUD_KMS_ENDPOINT/_emulator/health""#
        let result = try await run(["/bin/sh", "-c", script])
        #expect(result.output == "200", "\(result.errors)")
    }

    @Test(.enabled(if: python != nil, "Python has no module requests"))
    func `Python's requests trusts it`() async throws {
        let script = """
            import os, requests
            print(requests.get(os.environ["NCLOUD_KMS_ENDPOINT"] + "/_emulator/health").status_code)
            """
        let result = try await run([try #require(Self.python).command, "-W", "ignore", "-c", script])
        #expect(result.output == "200\n", "\(result.errors)")
    }

    /// By OpenSSL's own variable, as Ruby and others do.
    @Test(.enabled(if: Python(having: "ssl") != nil, "there is no Python"))
    func `OpenSSL's own default trusts it`() async throws {
        let script = """
            import os, urllib.request
            print(urllib.request.urlopen(os.environ["NCLOUD_KMS_ENDPOINT"] + "/_emulator/health").status)
            """
        let result = try await run([try #require(Python(having: "ssl")).command, "-c", script])
        #expect(result.output == "200\n", "\(result.errors)")
    }

    @Test(.enabled(if: access(node, X_OK) == 0, "there is no Node"))
    func `Node trusts it`() async throws {
        let script = """
            require("https").get(process.env.NCLOUD_KMS_ENDPOINT + "/_emulator/health", (r) => console.log(r.resume().statusCode))
            """
        let result = try await run([Self.node, "-e", script])
        #expect(result.output == "200\n", "\(result.errors)")
    }
}
