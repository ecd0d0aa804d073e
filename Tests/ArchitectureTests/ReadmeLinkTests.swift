import Foundation
import Testing

/// The page of the README that leads through the code.
@Suite struct ReadmeLinkTests {
    private let readme: String
    /// The links to files of the sources: the text, which names a type, and the file.
    private var links: [(name: Substring, file: String)] = []

    init() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        for link in readme.matches(of: /\[`(\w+)`\]\((Sources\/[^)]+)\)/) {
            let file = root.appending(path: String(link.output.2))
            links.append((link.output.1, try String(contentsOf: file, encoding: .utf8)))
        }
    }

    @Test func `every link to a file of the sources names a type that is in it`() throws {
        #expect(links.count > 20)
        for (name, file) in links {
            let declaration = try Regex(#"\b(struct|class|enum|actor|protocol|extension) \#(name)\b"#)
            #expect(file.contains(declaration), "\(name) is not where its link leads")
        }
    }

    @Test func `every method that a step names is in a file that a step links to`() throws {
        let page = try #require(readme.firstMatch(of: #/(?s)## The way of a call\n(.*?)\n## /#)).output.1
        let steps = page.split(separator: "\n").filter { $0.contains(#/^\d+\. /#) }
        #expect(steps.count > 15)
        for step in steps {
            for method in step.matches(of: /`([a-z]\w*)`/).map(\.output.1) {
                let declaration = try Regex(#"\bfunc \#(method)\b"#)
                #expect(links.contains { $0.file.contains(declaration) }, "no method \(method), in step \(step)")
            }
        }
    }
}
