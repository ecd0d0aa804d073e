/// The manual page of a program.
enum ManualPage {
    /// - Parameter date: in mdoc's form, "November 26, 2026".
    static func text(of program: CommandDescription, _ sections: ManualSections, date: String) -> String {
        var page = MdocWriter()
        page.macro("Dd", date)
        page.macro("Dt", program.name.uppercased(), "1")
        page.macro("Os")
        page.section("NAME")
        page.macro("Nm", program.name)
        page.macro("Nd", summary(program.abstract))
        page.section("SYNOPSIS")
        writeSynopsis(of: program, command: nil, to: &page)
        for command in program.subcommands { writeSynopsis(of: command, command: command.name, to: &page) }
        page.section("DESCRIPTION")
        page.prose(discussion(of: program, sections), isFirst: true)
        writeCommands(of: program, sections, to: &page)
        page.section("OPTIONS")
        if !program.subcommands.isEmpty {
            page.sentences(
                "All commands accept these options, before or after their name; an option that a command does not use has no "
                    + "effect.")
        }
        page.definitions(program.options.map { ($0.mdoc, $0.help) })
        page.section("ENVIRONMENT")
        page.sentences(sections.environmentIntroduction)
        page.definitions(sections.environment.map { ("Ev \($0.variable)", $0.meaning) })
        page.section("FILES")
        page.definitions(sections.files.map { ("Pa \(MdocWriter.argument($0.path))", $0.meaning) })
        page.section("EXIT STATUS")
        page.definitions(sections.exitStatus.map { ($0.status, "\($0.meaning).") })
        page.section("EXAMPLES")
        for (index, example) in sections.examples.enumerated() {
            page.prose(example.text, isFirst: index == 0)
            page.literal(example.lines)
        }
        return page.text
    }

    private static func writeSynopsis(of command: CommandDescription, command name: String?, to page: inout MdocWriter)
    {
        page.macro("Nm")
        if let name { page.macro("Cm", MdocWriter.argument(name)) }
        for option in command.options where !option.isOptional && option.valueName != nil { page.macro(option.mdoc) }
        page.macro("Op", "Ar", "options")
        for argument in command.positionals {
            if argument.isOptional {
                page.macro("Op", argument.mdoc)
            } else {
                page.macro(argument.mdoc)
            }
        }
    }

    private static func writeCommands(
        of program: CommandDescription, _ sections: ManualSections, to page: inout MdocWriter
    ) {
        guard !program.subcommands.isEmpty else { return }
        page.section("COMMANDS")
        let common = Set(program.options.flatMap(\.names))
        for command in program.subcommands {
            page.subsection(MdocWriter.argument(command.name))
            page.sentences(command.abstract)
            page.prose(discussion(of: command, sections), isFirst: false)
            let own = command.options.filter { common.isDisjoint(with: $0.names) }
            page.definitions((command.positionals + own).map { ($0.mdoc, $0.help) })
        }
    }

    private static func discussion(of command: CommandDescription, _ sections: ManualSections) -> String {
        guard let title = sections.omittedFrom, let start = command.discussion.firstRange(of: title) else {
            return command.discussion
        }
        return String(command.discussion[..<start.lowerBound])
    }

    /// `.Nd` takes no full stop.
    private static func summary(_ abstract: String) -> String {
        abstract.hasSuffix(".") ? String(abstract.dropLast()) : abstract
    }
}
