import KMSJSON

/// A command, as ArgumentParser describes it with `--experimental-dump-help`.
struct CommandDescription {
    let name: String
    let abstract: String
    let discussion: String
    /// The ones that `--help` lists.
    let arguments: [ArgumentDescription]
    /// Without `help`, which ArgumentParser adds.
    let subcommands: [CommandDescription]

    init?(_ json: JSONValue) {
        guard let name = json["commandName"]?.string else { return nil }
        self.name = name
        abstract = json["abstract"]?.string ?? ""
        discussion = json["discussion"]?.string ?? ""
        arguments = (json["arguments"]?.elements ?? []).compactMap(ArgumentDescription.init)
        subcommands = (json["subcommands"]?.elements ?? []).compactMap(CommandDescription.init)
            .filter { $0.name != "help" }
    }

    var positionals: [ArgumentDescription] { arguments.filter(\.isPositional) }
    var options: [ArgumentDescription] { arguments.filter { !$0.isPositional } }
}

/// An argument or an option of a command.
struct ArgumentDescription {
    let isPositional: Bool
    let isOptional: Bool
    let isRepeating: Bool
    /// Whether it comes after `--`.
    let followsTerminator: Bool
    /// With their hyphens, short names first.
    let names: [String]
    /// Nil for a flag.
    let valueName: String?
    let help: String

    /// Nil for a hidden argument.
    init?(_ json: JSONValue) {
        guard json["shouldDisplay"]?.bool == true else { return nil }
        let kind = json["kind"]?.string
        isPositional = kind == "positional"
        isOptional = json["isOptional"]?.bool ?? false
        isRepeating = json["isRepeating"]?.bool ?? false
        followsTerminator = json["parsingStrategy"]?.string == "postTerminator"
        names = (json["names"]?.elements ?? []).compactMap { name in
            name["name"]?.string.map { (name["kind"]?.string == "long" ? "--" : "-") + $0 }
        }.sorted { $0.count < $1.count }
        valueName = kind == "flag" ? nil : json["valueName"]?.string ?? "value"

        let values = json["allValues"]?.elements?.compactMap(\.string) ?? []
        let facts = [
            values.isEmpty ? nil : "values: \(values.joined(separator: ", "))",
            json["defaultValue"]?.string.map { "default: \($0)" },
        ].compactMap { $0 }
        let abstract = json["abstract"]?.string ?? ""
        help = facts.isEmpty ? abstract : "\(abstract) (\(facts.joined(separator: "; ")))"
    }

    /// The text after `.It` or in a synopsis.
    var mdoc: String {
        let value = valueName.map { "Ar \(MdocWriter.argument($0))\(isRepeating ? " ..." : "")" }
        if isPositional { return (followsTerminator ? "Fl \\- " : "") + (value ?? "") }
        return names.map { name in
            // `Fl` adds one hyphen.
            "Fl \(MdocWriter.argument(String(name.dropFirst())))\(value.map { " \($0)" } ?? "")"
        }.joined(separator: " , ")
    }
}
