import Foundation
import KMSService
import Testing

@Suite struct ReadmeTests {
    @Test func `the README's table of settings is the list of settings`() throws {
        let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        let text = try String(contentsOf: readme, encoding: .utf8)
        #expect(text.contains("\n\(Setting.markdownTable)\n"), "paste this:\n\(Setting.markdownTable)")
    }

    @Test func `every setting is in the list once`() {
        let names = Setting.all.map(\.name.rawValue)
        #expect(names.sorted() == Setting.Name.allCases.map(\.rawValue).sorted())
    }
}
