import Testing

@testable import NCloudKMS

@Suite struct CredentialsTests {
    private func pair(_ accessKey: String, _ secret: String) throws -> Credentials {
        try Credentials(accessKeyID: accessKey, secretAccessKey: SecretBytes(secret.utf8))
    }

    @Test func `the identity follows both halves`() throws {
        let identity = try pair("ABCD", "EFGH").identity
        #expect(try pair("ABCD", "EFGH").identity == identity)
        #expect(try pair("ABCD", "EFGX").identity != identity)
        #expect(try pair("ABCX", "EFGH").identity != identity)
        #expect(try pair("ABCDE", "FGH").identity != identity)
        #expect(try Credentials(token: SecretBytes("EFGH".utf8)).identity != identity)
    }

    @Test(arguments: ["", "with space", "line\r\nbreak", "ümlaut", "nul\0", "del\u{7F}"])
    func `what would break a header is refused without being repeated`(text: String) throws {
        let errors = [
            #expect(throws: InvalidValue.self) { try pair(text, "secret") },
            #expect(throws: InvalidValue.self) { try pair("access", text) },
            #expect(throws: InvalidValue.self) { try Credentials(token: SecretBytes(text.utf8)) },
        ]
        for error in errors { #expect(text.isEmpty || !(error?.description.contains(text) ?? true)) }
    }

    @Test func `four characters of the access key id are shown`() throws {
        #expect(try pair("AKIDEXAMPLE", "s").abbreviatedAccessKeyID == "AKID…")
        #expect(try Credentials(token: SecretBytes("t".utf8)).abbreviatedAccessKeyID == nil)
    }
}
