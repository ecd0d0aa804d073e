extension Setting {
    /// The table of the README. A test keeps the two equal.
    package static var markdownTable: String {
        let rows = all.map { setting in
            let value = setting.valueName.map { " \($0.uppercased())" } ?? ""
            let variables =
                setting.variables.isEmpty
                ? "–" : setting.variables.map { "`\($0)`" }.joined(separator: ", then ")
            let alias = setting.name.alias.map { ", `--\($0)\(value)`" } ?? ""
            return
                "| `\(setting.name.flag)\(value)`\(alias) | \(variables) | \(setting.defaultText) | \(setting.help) |"
        }
        return (["| flag | environment | default | what it sets |", "|---|---|---|---|"] + rows).joined(separator: "\n")
    }
}
