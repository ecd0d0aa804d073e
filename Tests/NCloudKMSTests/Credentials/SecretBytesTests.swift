import Testing

@testable import NCloudKMS

@Suite struct SecretBytesTests {
    static let text = "a-secret-that-must-not-show"

    struct Holder {
        let secret: SecretBytes?
        let more: [SecretBytes]
    }

    @Test func `a secret prints as redacted in every form of printing`() throws {
        let secret = SecretBytes(Self.text.utf8)
        var dumped = ""
        dump(secret, to: &dumped)
        dump(Holder(secret: secret, more: [secret]), to: &dumped)
        let prints = [
            "\(secret)", String(describing: secret), String(reflecting: secret), secret.debugDescription, dumped,
            "\(Holder(secret: secret, more: [secret]))", "\(try Credentials(token: secret))",
            String(reflecting: try Credentials(accessKeyID: "AKIDEXAMPLE", secretAccessKey: secret)),
        ]
        for print in prints { #expect(!print.contains("must-not")) }
        #expect("\(secret)" == "<redacted>")
        #expect(String(reflecting: secret) == "<redacted>")
    }

    @Test func `equal secrets are equal and others are not`() {
        #expect(SecretBytes("abc".utf8) == SecretBytes("abc".utf8))
        #expect(SecretBytes("abc".utf8) != SecretBytes("abd".utf8))
        #expect(SecretBytes("abc".utf8) != SecretBytes("abcd".utf8))
        #expect(SecretBytes([]) == SecretBytes([]))
    }

    @Test func `only the part that was filled is kept`() throws {
        let secret = SecretBytes(capacity: 100) { memory in
            memory[0] = 7
            memory[1] = 8
            return 2
        }
        #expect(secret.count == 2)
        #expect(secret.withBytes { Array($0) } == [7, 8])
    }
}
