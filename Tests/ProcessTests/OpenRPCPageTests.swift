import Foundation
import Testing

/// `protocol/README.md` against the OpenRPC document and the transcripts.
@Suite struct OpenRPCPageTests {
    private static let folder = URL(filePath: OpenRPCDocument.path).deletingLastPathComponent()

    let document: OpenRPCDocument
    let page: String

    init() throws {
        document = try OpenRPCDocument()
        page = try String(contentsOf: Self.folder.appending(path: "README.md"), encoding: .utf8)
    }

    /// The cells of the rows of all tables, without code marks.
    private var rows: [[String]] {
        page.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
            line.split(separator: "|").map { cell in
                cell.filter { $0 != "`" }.trimmingCharacters(in: .whitespaces)
            }
        }
    }

    @Test func `its table of errors is the document's`() {
        var listed: [String: Int] = [:]
        for row in rows where row.count > 2 {
            if let code = Int(row[0]), ["yes", "no"].contains(row[2]) { listed[row[1]] = code }
        }
        let documented = Dictionary(uniqueKeysWithValues: document.errors.map { ($0.name, $0.error["code"]?.integer) })
        #expect(listed.mapValues(Optional.some) == documented)
    }

    @Test func `it has every method, parameter and member of a result or of error data`() {
        let firstCells = rows.compactMap(\.first).flatMap { cell in
            cell.replacingOccurrences(of: " or ", with: ", ").components(separatedBy: ", ")
        }
        for method in document.methods {
            #expect(page.contains("`\(method.name)`"), "\(method.name)")
            for parameter in method.parameters where method.name != "$/cancelRequest" {
                #expect(firstCells.contains(parameter.name), "\(method.name): \(parameter.name)")
            }
        }
        for schema in ["PublicKey", "SignatureVerdict", "Status", "ErrorData"] {
            let members = document.checker.target(of: "#/components/schemas/\(schema)/properties")?.members ?? []
            #expect(!members.isEmpty)
            for member in members where !["type", "retryable"].contains(member.name) {
                #expect(firstCells.contains(member.name), "\(schema): \(member.name)")
            }
        }
    }

    @Test func `its links to files lead somewhere, and every transcript is linked`() throws {
        let links = page.matches(of: /\]\(([^)#]+)(#[^)]*)?\)/).map { String($0.1) }.filter { !$0.contains("://") }
        for link in links {
            let path = Self.folder.appending(path: link).path
            #expect(FileManager.default.fileExists(atPath: path), "\(link)")
        }
        for name in TranscriptTests.names {
            #expect(links.contains("transcripts/\(name)"), "\(name)")
        }
    }
}
