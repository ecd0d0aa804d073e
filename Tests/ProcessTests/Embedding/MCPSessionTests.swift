import KMSJSON
import KMSTestSupport
import Testing

/// The official Python client of MCP, in the two major versions that hosts have, and the lines that a session consists of
/// against the published schemas.
@Suite struct MCPSessionTests {
    private static let folder = "\(ForeignClient.fixtures)/mcp"
    private static let hasSchemas = ForeignClient.schemas != nil
    /// It comes with the client.
    private static let schemaPackages = "mcp-1.30.0"

    /// `demo-rsa` takes three attempts, `demo-aes` is never answered.
    private static let faults = ["status=503,count=2,key=demo-rsa", "hang,key=demo-aes"]

    // MARK: The official client

    @Test(
        .enabled(if: ForeignClient.has(packages: "mcp-1.30.0"), "mcp 1.30.0 is not installed in .build/python")
    )
    func `mcp 1 speaks with it in a session`() async throws {
        try await session("session", packages: "mcp-1.30.0")
    }

    @Test(
        .enabled(if: ForeignClient.has(packages: "mcp-2.3.0"), "mcp 2.3.0 is not installed in .build/python"),
        arguments: ["legacy", "auto", "2026-07-28"])
    func `mcp 2 speaks with it in both eras`(_ mode: String) async throws {
        try await session(mode, packages: "mcp-2.3.0")
    }

    private func session(_ mode: String, packages: String) async throws {
        try await EmulatedKMS.with(faults: Self.faults) { kms in
            let record = try TemporaryDirectory()
            defer { withExtendedLifetime(record) {} }
            let client = ForeignClient(
                command: ["python3", "\(Self.folder)/session.py", mode, "sh", "\(Self.folder)/record.sh", "PROGRAM"],
                packages: packages)
            try await client.run(environment: kms.environment.merging(["RECORD": record.path]) { _, new in new })
            #expect(try contents(of: record.path("status")) == "0\n")
            try checkAnswers(record)
            if Self.hasSchemas { try await validate(record, packages: packages) }
        }
    }

    /// Every request is answered once, but for those that were cancelled, which are not.
    private func checkAnswers(_ record: TemporaryDirectory) throws {
        let sent = try messages(record.path("in"))
        let cancelled = sent.compactMap { message -> String? in
            guard message["method"]?.string == "notifications/cancelled" else { return nil }
            return message["params"]?["requestId"]?.text
        }
        #expect(cancelled.count == 1)
        let expected = sent.compactMap { $0["id"]?.text }.filter { !cancelled.contains($0) }
        #expect(expected.count > 50)
        let answered = try messages(record.path("out")).compactMap { $0["id"]?.text }
        #expect(answered.sorted() == expected.sorted())
    }

    private func messages(_ path: String) throws -> [JSONValue] {
        try contents(of: path).split(separator: "\n").map { line in
            try JSONValue(parsing: String(line))
        }
    }

    private func validate(_ record: TemporaryDirectory, packages: String = schemaPackages) async throws {
        let schemas = try #require(ForeignClient.schemas)
        try await ForeignClient(
            command: ["python3", "\(Self.folder)/validate.py", schemas, record.path], packages: packages
        ).run(environment: [:])
    }

    // MARK: Lines

    @Test(
        .enabled(if: hasSchemas, "The published schemas of MCP are not in ../shared/data/mcp-schema"),
        .enabled(
            if: ForeignClient.has(packages: schemaPackages), "jsonschema is not installed in .build/python"),
        arguments: ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", nil])
    func `every line is as the revision's schema has it`(_ revision: String?) async throws {
        let open = revision.map { revision in
            Lines.request(
                1, "initialize",
                #"{"protocolVersion":"\#(revision)","capabilities":{},"clientInfo":{"name":"x","version":"1"}}"#)
        }
        let envelope =
            #""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#
        func request(_ id: Int, _ method: String, _ members: String = "", token: String? = nil) -> String {
            let meta = [revision == nil ? envelope : nil, token.map { #""progressToken":\#($0)"# }].compactMap { $0 }
            let all = [members, #""_meta":{\#(meta.joined(separator: ","))}"#].filter { !$0.isEmpty }
            return Lines.request(id, method, "{\(all.joined(separator: ","))}")
        }
        let getPublicKey = #""name":"getPublicKey","arguments":"#
        let lines =
            [open].compactMap { $0 } + [
                request(2, revision == nil ? "server/discover" : "ping"), request(3, "tools/list"),
                request(4, "tools/call", getPublicKey + #"{"keyTag":"demo-ec","formats":["jwk","ssh","spki","der"]}"#),
                request(5, "tools/call", getPublicKey + #"{"keyTag":"demo-rsa"}"#, token: #""five""#),
                request(6, "tools/call", getPublicKey + #"{"keyTag":"nobody","keyVersion":3}"#),
                request(7, "tools/call", #""name":"nobody","arguments":{}"#), request(8, "resources/list"),
                request(9, "tools/list", #""cursor":"x""#),
                request(
                    10, "tools/call",
                    #""name":"verifySignature","arguments":{"keyTag":"demo-ec","algorithm":"ES256","data":"","signature":""}"#
                ),
                Lines.request(11, "server/discover"),
                Lines.request(
                    12, "tools/list",
                    #"{"_meta":{"io.modelcontextprotocol/protocolVersion":"x","io.modelcontextprotocol/clientCapabilities":{}}}"#
                ),
            ]
        try await EmulatedKMS.with(faults: Self.faults) { kms in
            let text = lines.joined(separator: "\n") + "\n"
            let outcome = try await ServiceProcess.answers(to: text, environment: kms.environment)
            #expect(outcome.status == 0)
            // One for each request, and two of progress.
            #expect(outcome.result.count == lines.count + 2)
            if let revision {
                let initialized = try JSONValue(parsing: outcome.result[0])["result"]
                #expect(initialized?["protocolVersion"]?.string == revision)
            }
            let record = try TemporaryDirectory()
            try record.write(text, to: "in")
            try record.write(outcome.result.joined(separator: "\n") + "\n", to: "out")
            try await validate(record)
        }
    }
}
