import Foundation
import KMSEmulator
import KMSJSON
import KMSPlatform
import KMSTestSupport
import Testing

/// The recipes and configurations of `protocol/embedding.md`, run as they are shown.
@Suite(.timeLimit(.minutes(5))) struct EmbeddingPageTests {
    /// The blocks of code of a language, each with the heading above it.
    private static func blocks(_ language: String) -> [(heading: String, text: String)] {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../protocol/embedding.md")
        let page = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return page.split(separator: #/(?m)^##+ /#).flatMap { section in
            let heading = String(section.prefix { $0 != "\n" })
            return section.matches(of: #/(?s)\n```(\w+)\n(.*?)```/#).filter { $0.output.1 == language }
                .map { (heading, String($0.output.2)) }
        }
    }

    /// The key of the page, whose latest version is the second; its private half is at hand.
    private struct Fixture {
        let kms: EmulatedKMS
        let old: OpenSSLKeyPair
        let key: OpenSSLKeyPair
    }

    private static let fixture = Task {
        let (old, key) = (try await OpenSSLKeyPair.rsa(bits: 2_048), try await OpenSSLKeyPair.rsa(bits: 2_048))
        let seed = Seed(keys: [Seed.Key("release-key", .rsa2048, [old.publicKey, key.publicKey])])
        return Fixture(kms: try EmulatedKMS(seed: seed), old: old, key: key)
    }

    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// Runs a script in the folder.
    private func run(_ script: String) async throws -> (status: Int, text: String, log: String) {
        let outcome = try await ServiceProcess.output(
            "/bin/sh", of: ["-c", "cd \"$HOME\"\n\(script)"],
            environment: Self.fixture.value.kms.environment.merging(["PATH": ClientTests.path, "HOME": folder.path]) {
                $1
            })
        return (outcome.status, String(decoding: outcome.result, as: UTF8.self), outcome.log)
    }

    private func recipe(_ heading: String) throws -> String {
        let found = Self.blocks("sh").filter { $0.heading == heading }
        try #require(found.count == 1, "\(heading)")
        return found[0].text
    }

    @Test func `every recipe has a test`() {
        #expect(
            Self.blocks("sh").map(\.heading) == [
                "cosign and other clients of sigstore", "Terraform", "A JWKS file for a web server",
                "A key in a Kubernetes Secret", "`allowed_signers` for git and ssh",
            ])
    }

    // MARK: Recipes

    @Test func `a JWKS file has the keys that the service has`() async throws {
        let recipe = try recipe("A JWKS file for a web server")
        let outcome = try await run(recipe)
        #expect(outcome.status == 0, "\(outcome.log)")
        let set = try JSONValue(parsing: contents(of: folder.path("jwks.json")))
        let jwk = try await run("ncloud-kms-rpc get-public-key release-key@1 release-key@2 --format jwk")
        let kids = try jwk.text.split(separator: "\n").map { try JSONValue(parsing: String($0))["kid"]?.string }
        #expect(set["keys"]?.elements?.map { $0["kid"]?.string } == kids)
        #expect(set["keys"]?.elements?.allSatisfy { $0["use"]?.string == "sig" && $0["kty"]?.string == "RSA" } == true)

        // An outage leaves the file as it is.
        let before = try contents(of: folder.path("jwks.json"))
        let failed = try await run("export NCLOUD_KMS_ENDPOINT=http://127.0.0.1:9 NCLOUD_KMS_MAX_ATTEMPTS=1\n\(recipe)")
        #expect(failed.status == 69)
        #expect(try contents(of: folder.path("jwks.json")) == before)
    }

    @Test func `a Secret holds the key's PEM, and without a key there is none`() async throws {
        let recipe = try recipe("A key in a Kubernetes Secret")
        let outcome = try await run(recipe)
        #expect(outcome.status == 0, "\(outcome.log)")
        let lines = try contents(of: folder.path("secret.yaml")).split(separator: "\n")
        #expect(lines.prefix(6).joined(separator: "\n").hasSuffix("stringData:\n  cosign.pub: |"))
        let block = lines.dropFirst(6)
        #expect(block.allSatisfy { $0.hasPrefix("    ") })
        let pem = block.map { $0.dropFirst(4) + "\n" }.joined()
        #expect(try await pem == Self.fixture.value.key.publicKey)

        let failed = try await run("rm secret.yaml\n" + recipe.replacing("release-key)", with: "no-such-key)"))
        #expect(failed.status == 66)
        #expect(access(folder.path("secret.yaml"), F_OK) != 0)
    }

    @Test(
        .enabled(if: ClientTests.isInstalled("ssh-keygen") && ClientTests.isInstalled("git"), "git or ssh is missing"))
    func `git and ssh take the signatures of the key, and no others`() async throws {
        let recipe = try recipe("`allowed_signers` for git and ssh")
        try folder.write("a release", to: "release.tar")
        try folder.write(await Self.fixture.value.key.privateKey, to: "key.pem")
        try folder.write(await Self.fixture.value.old.privateKey, to: "old.pem")
        func signed(by key: String) -> String {
            """
            set -e
            rm -rf .git release.tar.sig
            ssh-keygen -y -f \(key) > \(key).pub
            ssh-keygen -q -Y sign -n file -f \(key) release.tar
            git init -q . && git config user.name Release && git config user.email release@example.com
            git config gpg.format ssh && git config user.signingKey "$PWD/\(key)"
            git commit -q -S --allow-empty -m release
            """
        }
        let prepared = try await run(signed(by: "key.pem"))
        try #require(prepared.status == 0, "\(prepared.log)")
        let outcome = try await run(recipe)
        #expect(outcome.status == 0, "\(outcome.log)")
        #expect(outcome.text.contains(#"Good "file" signature for release@example.com"#), "\(outcome.text)")
        #expect((outcome.text + outcome.log).contains(#"Good "git" signature for release@example.com"#), "\(outcome)")

        let other = try await run(signed(by: "old.pem"))
        try #require(other.status == 0, "\(other.log)")
        #expect(try await run(recipe).status != 0)
        #expect(try await run("git verify-commit HEAD").status != 0)
    }

    @Test func `a query of Terraform has a flat object of strings`() async throws {
        let outcome = try await run(recipe("Terraform"))
        #expect(outcome.status == 0, "\(outcome.log)")
        let result = try JSONValue(parsing: outcome.text)
        #expect(result.members?.allSatisfy { $0.value.string != nil } == true)
        #expect(result["key_version"]?.string == "1")
        #expect(try await result["public_key"]?.string == Self.fixture.value.old.publicKey)
        // The members that the example in HCL uses.
        let hcl = try #require(Self.blocks("hcl").first?.text)
        for match in hcl.matches(of: #/\.result\.(\w+)/#) { #expect(result[String(match.output.1)] != nil) }
        #expect(hcl.contains(#"program = ["ncloud-kms-rpc", "terraform"]"#))
    }

    @Test func `the link that the page makes is the plugin`() async throws {
        let link = try recipe("cosign and other clients of sigstore")
        let arguments = "'\(SigstoreCall("release-key").publicKey)'"
        let outcome = try await run("set -e\n\(link)\n./sigstore-kms-ncloud v1 \(arguments)")
        #expect(outcome.status == 0, "\(outcome.log)")
        #expect(outcome.text.hasPrefix(#"{"publicKey":{"publicKeyPEM":""#))
    }

    // MARK: Configurations

    /// How each host calls the member that holds its servers.
    private static let hosts = [
        ("VS Code", "servers"), ("Claude Code", "mcpServers"), ("Claude Desktop", "mcpServers"),
        ("Cursor", "mcpServers"),
        ("Zed", "context_servers"),
    ]

    @Test(arguments: hosts)
    func `the configuration of a host starts a server`(_ host: String, _ member: String) async throws {
        let found = Self.blocks("json").filter { $0.heading == host }
        try #require(found.count == 1)
        let configuration = try JSONValue(parsing: found[0].text)
        #expect(configuration.members?.map(\.name) == [member])
        let servers = try #require(configuration[member]?.members)
        // With the name of a tool it must have less than 60 characters.
        #expect(servers.map(\.name) == ["ncloud-kms"])
        let server = servers[0].value
        #expect(server["type"]?.string == (host == "VS Code" ? "stdio" : nil))
        let command = try #require(server["command"]?.string)
        #expect(command.hasPrefix("/"))
        let built = BuiltProducts.path(of: "ncloud-kms-rpc")
        func resolved(_ text: String) -> String {
            // What Claude Code does with variables.
            text.replacing("/usr/local/bin/ncloud-kms-rpc", with: built).replacing(#/\$\{\w+:-(\w*)\}/#) { $0.output.1 }
        }
        let arguments = try #require(server["args"]?.elements?.map { $0.string ?? "" }).map(resolved)
        var environment = try await Self.fixture.value.kms.environment
        for (name, value) in try #require(server["env"]?.members) { environment[name] = resolved(value.string ?? "") }
        #expect(environment["NCLOUD_PROFILE"] == "DEFAULT")
        let lines = [
            #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"#
                + #""clientInfo":{"name":"host","version":"1"}}}"#,
            #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            #"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"getPublicKey","#
                + #""arguments":{"keyTag":"release-key"}}}"#,
        ]
        let outcome = try await ServiceProcess.answers(
            resolved(command), to: lines.joined(separator: "\n"), arguments: arguments, environment: environment)
        #expect(outcome.status == 0)
        let answers = try outcome.result.map { try JSONValue(parsing: $0) }
        #expect(answers.first?["result"]?["protocolVersion"]?.string == "2025-06-18", "\(outcome)")
        let key = answers.last?["result"]?["structuredContent"]?["publicKey"]?.string
        #expect(try await key == Self.fixture.value.key.publicKey, "\(outcome)")
        // Where each line of stderr is shown as a warning there is none.
        if host == "VS Code" { #expect(outcome.log == "") }
        if host == "Claude Code" { #expect(arguments.contains { $0.contains("--parent-pid $PPID") }) }
    }
}
