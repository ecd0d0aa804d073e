import Foundation
import Testing

/// The page of the README that leads through the code.
@Suite struct ReadmeLinkTests {
    @Test func `every link to a file of the sources names what is in it`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let links = readme.matches(of: /\[`(\w+)`\]\((Sources\/[^)]+)\)/).map { (name: $0.output.1, path: $0.output.2) }
        #expect(links.count > 20)
        for link in links {
            let text = try String(contentsOf: root.appending(path: String(link.path)), encoding: .utf8)
            let declaration = try Regex(#"\b(struct|class|enum|actor|protocol|extension) \#(link.name)\b"#)
            #expect(text.contains(declaration), "\(link.name) is not in \(link.path)")
        }
    }
}
