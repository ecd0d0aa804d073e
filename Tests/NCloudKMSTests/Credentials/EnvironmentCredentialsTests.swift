import Testing

@testable import NCloudKMS

@Suite struct EnvironmentCredentialsTests {
    private func keyPair(_ variables: [String: String]) throws -> String {
        switch try EnvironmentCredentials(EnvironmentVariables(variables)).keyPair() {
        case .found(let credentials): try Self.contents(of: credentials)
        case .absent(let place): place
        }
    }

    static func contents(of credentials: Credentials) throws -> String {
        switch credentials.kind {
        case .keyPair(let accessKeyID, let secret):
            "\(accessKeyID):" + secret.withBytes { String(decoding: $0, as: UTF8.self) }
        case .token(let token): token.withBytes { String(decoding: $0, as: UTF8.self) }
        }
    }

    static let pairRows: [([String: String], String)] = [
        (["NCLOUD_ACCESS_KEY_ID": "a", "NCLOUD_SECRET_ACCESS_KEY": "s"], "a:s"),
        (["NCLOUD_ACCESS_KEY": "b", "NCLOUD_SECRET_KEY": "t"], "b:t"),
        (["NCLOUD_ACCESS_KEY_ID": "a", "NCLOUD_SECRET_KEY": "t"], "a:t"),
        (
            [
                "NCLOUD_ACCESS_KEY_ID": "a", "NCLOUD_ACCESS_KEY": "b", "NCLOUD_SECRET_ACCESS_KEY": "s",
                "NCLOUD_SECRET_KEY": "t",
            ], "a:s"
        ),
        (["NCLOUD_ACCESS_KEY_ID": "", "NCLOUD_ACCESS_KEY": "b", "NCLOUD_SECRET_KEY": "t"], "b:t"),
        (["NCLOUD_ACCESS_KEY_ID": "a\n", "NCLOUD_SECRET_KEY": " t=\n"], "a:t="),
        ([:], "the environment (no NCLOUD_ACCESS_KEY_ID)"),
        (["NCLOUD_SECRET_KEY": ""], "the environment (no NCLOUD_ACCESS_KEY_ID)"),
    ]

    @Test(arguments: pairRows)
    func `the first name of each pair that is set wins`(variables: [String: String], expected: String) throws {
        #expect(try keyPair(variables) == expected)
    }

    static let halfRows: [([String: String], String)] = [
        (
            ["NCLOUD_ACCESS_KEY": "aaaa"],
            "NCLOUD_ACCESS_KEY is set, but neither NCLOUD_SECRET_ACCESS_KEY nor NCLOUD_SECRET_KEY is"
        ),
        (
            ["NCLOUD_SECRET_KEY": "ssss"],
            "NCLOUD_SECRET_KEY is set, but neither NCLOUD_ACCESS_KEY_ID nor NCLOUD_ACCESS_KEY is"
        ),
        (["NCLOUD_ACCESS_KEY_ID": "aaaa", "NCLOUD_SECRET_KEY": "ss ss"], "NCLOUD_SECRET_KEY must not be empty"),
    ]

    @Test(arguments: halfRows)
    func `half a pair is an error that names it`(variables: [String: String], text: String) throws {
        let error = try #require(throws: KMSError.self) { try keyPair(variables) }
        #expect(error.code == .credentialsUnavailable)
        #expect(error.message.contains(text))
        for value in variables.values { #expect(!error.message.contains(value)) }
    }

    @Test func `a token is read from its variable`() throws {
        let environment = EnvironmentVariables(["NCLOUD_KMS_TOKEN": "token\n"])
        guard case .found(let credentials) = try EnvironmentCredentials(environment).token() else {
            Issue.record("no token found")
            return
        }
        #expect(try Self.contents(of: credentials) == "token")
        #expect(credentials.source == .environment)
        guard case .absent = try EnvironmentCredentials(EnvironmentVariables([:])).token() else {
            Issue.record("a token out of nothing")
            return
        }
    }

    @Test func `the home directory is HOME, else what the password database says`() {
        #expect(EnvironmentVariables(["HOME": "/somewhere"]).homeDirectory == "/somewhere")
        let database = EnvironmentVariables(["HOME": ""]).homeDirectory
        #expect(database?.hasPrefix("/") == true)
    }
}
