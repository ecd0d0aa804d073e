import Testing

@testable import NCloudKMS

@Suite struct ProfileFileTests {
    private func file(_ text: String, profile: String = "DEFAULT") throws -> ProfileFile {
        try Array(text.utf8).withUnsafeBufferPointer { bytes throws(ProfileFile.Problem) in
            try ProfileFile(bytes, profile: profile)
        }
    }

    private func keyPair(_ text: String, profile: String = "DEFAULT") throws -> String? {
        try file(text, profile: profile)
            .credentials(source: .profile(name: profile, file: "F"))
            .map { try EnvironmentCredentialsTests.contents(of: $0) }
    }

    static let pair = "ncloud_access_key_id = AK\nncloud_secret_access_key = SK\n"

    static let defaultRows: [(String, String)] = [
        ("[DEFAULT]\n" + pair, "AK:SK"),
        (pair, "AK:SK"),
        ("ncloud_access_key_id=AK\r\nncloud_secret_access_key=SK\r\n", "AK:SK"),
        ("ncloud_access_key_id=AK\nncloud_secret_access_key=SK", "AK:SK"),
        ("\u{FEFF}[DEFAULT]\n" + pair, "AK:SK"),
        (
            "# comment\n; comment = too\n\n  [ DEFAULT ]  \n\tNCLOUD_ACCESS_KEY_ID\t=\tAK \n"
                + "ncloud_secret_access_key=SK", "AK:SK"
        ),
        ("ncloud_access_key_id=AK\nncloud_secret_access_key=S=K==\n", "AK:S=K=="),
        ("ncloud_access_key_id=\"AK\"\nncloud_secret_access_key='SK'\n", "AK:SK"),
        ("ncloud_access_key_id=AK\nncloud_secret_access_key=S#K;\n", "AK:S#K;"),
        ("ncloud_access_key_id=AK\nncloud_secret_access_key='\n", "AK:'"),
        ("ncloud_api_url = https://elsewhere\n" + pair, "AK:SK"),
        ("[other]\nncloud_access_key_id=no\nncloud_secret_access_key=no\n[DEFAULT]\n" + pair, "AK:SK"),
        ("[DEFAULT]\n" + pair + "[last]\nncloud_access_key_id=no\nncloud_secret_access_key=no\n", "AK:SK"),
        ("ncloud_access_key_id=AK\n[other]\nx=y\n[DEFAULT]\nncloud_secret_access_key=SK\n", "AK:SK"),
        ("[DEFAULT] # main\n" + pair, "AK:SK"),
        ("[ DEFAULT ];main\n" + pair, "AK:SK"),
        ("[other]\nstray\n= no\n[DEFAULT]\n" + pair, "AK:SK"),
        (pair + "[other\nstray\nncloud_access_key_id=no\n[]\n", "AK:SK"),
    ]

    @Test(arguments: defaultRows)
    func `the default profile is found`(text: String, expected: String) throws {
        #expect(try keyPair(text) == expected)
    }

    @Test func `a profile is found by its name and takes nothing from another`() throws {
        let text =
            "[DEFAULT]\n" + Self.pair + "[dev]\nncloud_access_key_id=D\nncloud_secret_access_key=E\n[half]\n"
            + "ncloud_access_key_id=H\n[empty]\n"
        #expect(try keyPair(text, profile: "dev") == "D:E")
        #expect(try keyPair(text, profile: "empty") == nil)
        #expect(try file(text, profile: "empty").hasProfile)
        #expect(try keyPair(text, profile: "Dev") == nil)
        #expect(try !file(text, profile: "Dev").hasProfile)
        let error = try #require(throws: KMSError.self) { try keyPair(text, profile: "half") }
        #expect(error.message.contains("profile half of F has ncloud_access_key_id but no ncloud_secret_access_key"))
    }

    static let halfRows: [(String, String)] = [
        ("ncloud_secret_access_key=SK\n", "has ncloud_secret_access_key but no ncloud_access_key_id"),
        ("ncloud_access_key_id=AK\nncloud_secret_access_key=\n", "but no ncloud_secret_access_key"),
        (
            "\nncloud_access_key_id=AK\nncloud_secret_access_key=S K ; a comment\n",
            "line 3: ncloud_secret_access_key must not"
        ),
    ]

    @Test(arguments: halfRows)
    func `half a pair is an error`(text: String, expected: String) throws {
        let error = try #require(throws: KMSError.self) { try keyPair(text) }
        #expect(error.code == .credentialsUnavailable)
        #expect(error.message.contains(expected))
        #expect(!error.message.contains("S K"))
    }

    static let problemRows: [(String, Int, String)] = [
        ("[DEFAULT]\nSECRETTEXT\n", 2, "line 2 is neither a [profile] nor a \"name = value\""),
        ("= SECRETTEXT", 1, "line 1 is neither"),
        ("\n\n[DEFAULT\n", 3, "line 3 has an unclosed profile name"),
        ("[ ]\n", 1, "line 1 has an empty profile name"),
        ("[DEFAULT] SECRETTEXT\n" + pair, 1, "line 1 has text after the profile name"),
        (pair + pair, 3, "line 3 sets ncloud_access_key_id again after line 1"),
    ]

    @Test(arguments: problemRows)
    func `a line that can't be read is named by its number`(text: String, line: Int, expected: String) throws {
        let problem = try #require(throws: ProfileFile.Problem.self) { try file(text) }
        #expect(problem.line == line)
        #expect(problem.description.hasPrefix(expected))
        #expect(!problem.description.contains("SECRETTEXT"))
    }
}
