import Foundation
import Testing

@testable import KMSCommands

/// The tables of the README, which are those of the program.
@Suite struct ReadmeTests {
    private let readme: String

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
        readme = try String(contentsOf: file, encoding: .utf8)
    }

    private func contains(_ head: String, _ rows: [String]) -> Bool {
        let columns = head.count { $0 == "|" } - 1
        let table = ([head, "|" + String(repeating: "---|", count: columns)] + rows).joined(separator: "\n")
        if !readme.contains("\n\(table)\n") { Issue.record("paste this:\n\(table)") }
        return readme.contains("\n\(table)\n")
    }

    @Test func `the table of settings is the list of settings`() {
        let rows = Setting.all.map { setting in
            let value = setting.valueName.map { " \($0.uppercased())" } ?? ""
            let variables =
                setting.variables.isEmpty ? "–" : setting.variables.map { "`\($0)`" }.joined(separator: ", then ")
            let alias = setting.name.alias.map { ", `--\($0)\(value)`" } ?? ""
            let flag = "`\(setting.name.flag)\(value)`\(alias)"
            return "| \(flag) | \(variables) | \(setting.defaultText) | \(setting.help) |"
        }
        #expect(contains("| flag | environment | default | what it sets |", rows))
    }

    @Test func `the table of statuses is the list of statuses`() {
        #expect(contains("| status | meaning |", ExitStatus.list.map { "| \($0.status) | \($0.meaning) |" }))
    }

    @Test func `every setting is in the list once`() {
        let names = Setting.all.map(\.name.rawValue)
        #expect(names.sorted() == Setting.Name.allCases.map(\.rawValue).sorted())
    }
}
