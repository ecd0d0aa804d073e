import Foundation
import Testing

private let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL

/// A page of the documentation, and where its links lead.
private struct Page {
    /// From the root of the package on.
    let path: String
    let text: String

    init(_ path: String) throws {
        self.path = path
        text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Every page that people read.
    static func all() throws -> [Page] {
        let folders = ["", "protocol/", "protocol/transcripts/"]
        return try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)
                .filter { $0.hasSuffix(".md") }.sorted().map { try Page(folder + $0) }
        }
    }

    /// Without the code in it.
    private var prose: String { text.replacing(/(?s)\n```.*?\n```/, with: "") }

    /// The links to other pages and files, and to headings.
    var links: [(path: String, anchor: String?)] {
        prose.matches(of: #/\]\(([^)#\s]*)(\#[^)\s]*)?\)/#).compactMap { match in
            guard !match.output.1.contains("://") else { return nil }
            return (String(match.output.1), match.output.2.map { String($0.dropFirst()) })
        }
    }

    /// What links to its headings are called, as GitHub derives it.
    var anchors: Set<String> {
        let headings = prose.split(separator: "\n").filter { $0.contains(#/^\#+ /#) }
        return Set(
            headings.map { heading in
                let words = heading.drop { $0 == "#" }.dropFirst().lowercased()
                return words.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                    .replacing(" ", with: "-")
            })
    }

    /// The file that a link on this page names, from the root on.
    func target(of path: String) -> String {
        guard !path.isEmpty else { return self.path }
        let file = root.appending(path: self.path).deletingLastPathComponent().appending(path: path)
        return String(file.standardizedFileURL.path.dropFirst(root.path.count).drop { $0 == "/" })
    }
}

@Suite struct DocumentLinkTests {
    @Test func `every link leads to a file, and to a heading that is there`() throws {
        let pages = try Page.all()
        #expect(pages.count >= 8)
        let anchors = Dictionary(uniqueKeysWithValues: pages.map { ($0.path, $0.anchors) })
        for page in pages {
            for link in page.links {
                let target = page.target(of: link.path)
                #expect(
                    FileManager.default.fileExists(atPath: root.appending(path: target).path),
                    "\(page.path): \(link.path)")
                guard let anchor = link.anchor else { continue }
                #expect(anchors[target]?.contains(anchor) == true, "\(page.path): \(link.path)#\(anchor)")
            }
        }
    }

    @Test func `every page can be reached from the README`() throws {
        let pages = try Page.all()
        var reached: Set = ["README.md"]
        var waiting = ["README.md"]
        while let path = waiting.popLast() {
            guard let page = pages.first(where: { $0.path == path }) else { continue }
            for link in page.links {
                let target = page.target(of: link.path)
                if reached.insert(target).inserted { waiting.append(target) }
            }
        }
        for page in pages { #expect(reached.contains(page.path), "\(page.path)") }
    }
}

/// The pages of CONTRIBUTING.md that lead through the code.
@Suite struct CodePathTests {
    private let page: String
    /// The links to files of the sources: the text, which names a type, and the file.
    private var links: [(name: Substring, file: String)] = []

    init() throws {
        page = try Page("CONTRIBUTING.md").text
        for link in page.matches(of: /\[`(\w+)`\]\((Sources\/[^)]+)\)/) {
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
        let section = try #require(page.firstMatch(of: #/(?s)\#\# The path of a request\n(.*?)\n\#\# [^\#]/#)).output.1
        let steps = section.split(separator: "\n").filter { $0.contains(#/^\d+\. /#) }
        #expect(steps.count > 15)
        for step in steps {
            for method in step.matches(of: /`([a-z]\w*)`/).map(\.output.1) {
                let declaration = try Regex(#"\bfunc \#(method)\b"#)
                // What the machine returns are cases of its actions.
                let isCase = try Regex(#"\bcase \#(method)\b"#)
                #expect(
                    links.contains { $0.file.contains(declaration) || $0.file.contains(isCase) },
                    "no method \(method), in step \(step)")
            }
        }
    }

    @Test func `every suite of tests that the page names is there`() throws {
        let tests = root.appending(path: "Tests")
        let files = try FileManager.default.subpathsOfDirectory(atPath: tests.path).filter { $0.hasSuffix(".swift") }
        let texts = try files.map { try String(contentsOf: tests.appending(path: $0), encoding: .utf8) }
        let names = Set(page.matches(of: /`(\w+Tests)`/).map(\.output.1))
        #expect(names.count > 4)
        for name in names where name != "ArchitectureTests" {
            #expect(texts.contains { $0.contains("struct \(name)") }, "\(name)")
        }
    }
}
