import Foundation
import Testing

@testable import KMSCommands

/// The tables of the documentation that list what the program has.
@Suite struct DocumentedTableTests {
    private func expect(_ page: String, toHave head: String, _ rows: [String]) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../\(page)")
        let columns = head.count { $0 == "|" } - 1
        let table = ([head, "|" + String(repeating: "---|", count: columns)] + rows).joined(separator: "\n")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("\n\(table)\n"), "\(page): paste this:\n\(table)")
    }

    @Test func `the table of settings is the list of settings`() throws {
        let rows = Setting.all.map { setting in
            let value = setting.valueName.map { " \($0.uppercased())" } ?? ""
            let variables =
                setting.variables.isEmpty ? "–" : setting.variables.map { "`\($0)`" }.joined(separator: ", then ")
            let alias = setting.name.alias.map { ", `--\($0)\(value)`" } ?? ""
            let flag = "`\(setting.name.flag)\(value)`\(alias)"
            return "| \(flag) | \(variables) | \(setting.defaultText) | \(setting.help) |"
        }
        try expect("protocol/settings.md", toHave: "| flag | environment | default | what it sets |", rows)
    }

    @Test func `the table of statuses is the list of statuses`() throws {
        let rows = ExitStatus.list.map { "| \($0.status) | \($0.meaning) |" }
        try expect("protocol/commands.md", toHave: "| status | meaning |", rows)
    }

    @Test func `every setting is in the list once`() {
        let names = Setting.all.map(\.name.rawValue)
        #expect(names.sorted() == Setting.Name.allCases.map(\.rawValue).sorted())
    }
}
