import Foundation
import Logging
import NCloudKMS
import Testing

/// The example of the README: that it compiles with what the library shows, and that it is the one here.
@Suite struct ReadmeExampleTests {
    func example() async throws {
        let client = try KMSClient(KMSClientConfiguration(), logger: Logger(label: "kms"))
        let answer = try await client.publicKey(PublicKeyQuery(keyTag: KeyTag("YOUR-KEY-TAG")))
        print(answer.key.spkiSHA256, answer.source, answer.age)
        print(await client.status().cache)
        await client.shutdown()
    }

    @Test func `the example of the README is the one that is compiled here`() throws {
        let file = URL(filePath: #filePath)
        let readme = try String(
            contentsOf: file.deletingLastPathComponent().appending(path: "../../README.md"), encoding: .utf8)
        let block = try #require(readme.firstMatch(of: /```swift\n(?s)(.*?)```/)).output.1
        let code = block.split(separator: "\n").filter { !$0.hasPrefix("import ") }
        let here = try String(contentsOf: file, encoding: .utf8)
        #expect(code.count > 3)
        #expect(here.contains(code.map { "        \($0)\n" }.joined()))
    }
}
