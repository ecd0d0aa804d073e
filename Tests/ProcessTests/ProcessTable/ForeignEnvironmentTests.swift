import KMSJSON
import KMSTestSupport
import Testing

/// The environment of a random host: variables that are there for other programs, with whatever is in them.
@Suite(.timeLimit(.minutes(5))) struct ForeignEnvironmentTests {
    /// Not ours, or ours only together with NAVER's own tools.
    private static let names = [
        "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy", "SSL_CERT_FILE",
        "SSL_CERT_DIR", "CURL_CA_BUNDLE", "CURL_HOME", "OPENSSL_CONF", "HOSTALIASES", "RES_OPTIONS", "TMPDIR", "LANG",
        "LC_ALL", "TZ", "TERM", "COLUMNS", "PATH", "NCLOUD_PROFILE", "NCLOUD_CONFIG_FILE", "NCLOUD_ACCESS_KEY_ID",
        "NCLOUD_SECRET_KEY", "NCLOUD_METADATA_API_ENDPOINT", "NCLOUD_API_GW", "NCLOUD_REGION",
    ]

    private static let values = [
        "rubbish", "::::", "http://[", "/nonexistent", "\r\n", "~", " x ", "\u{7F}", "\"quoted\"", "é",
    ]

    @Test(arguments: values)
    func `all of them together stop neither the start nor a call that does not need them`(value: String) async throws {
        try await answersBoth(Dictionary(uniqueKeysWithValues: Self.names.map { ($0, value) }))
    }

    @Test(arguments: names)
    func `one of them stops neither the start nor a call that does not need it`(name: String) async throws {
        try await answersBoth([name: "::::"])
    }

    private func answersBoth(_ variables: [String: String]) async throws {
        // The call is refused at once: nobody listens there.
        let own = [
            "NCLOUD_KMS_ENDPOINT": "http://127.0.0.1:1", "NCLOUD_ACCESS_KEY": "AKEXAMPLE",
            "NCLOUD_SECRET_ACCESS_KEY": "SKEXAMPLE",
        ]
        let outcome = try await ServiceProcess.output(
            of: ["--max-attempts", "1"],
            input: Array(
                """
                {"jsonrpc":"2.0","id":1,"method":"getStatus"}
                {"jsonrpc":"2.0","id":2,"method":"getPublicKey","params":["k"]}

                """.utf8), environment: own.merging(variables) { _, foreign in foreign })
        #expect(outcome.status == 0, "\(outcome.log)")
        let answers = try outcome.result.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
        #expect(answers.compactMap { $0["id"]?.integer }.sorted() == [1, 2])
        #expect(answers.first { $0["id"]?.integer == 1 }?["result"] != nil)
    }
}
