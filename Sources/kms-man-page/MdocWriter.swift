/// Writes a manual page in mdoc(7), for `man` and `mandoc`.
struct MdocWriter {
    /// Longer lines of text are wrapped; `mandoc -T lint` complains about lines of more than 80 columns.
    private static let maximumColumns = 78

    private(set) var text = ""

    // MARK: Structure

    /// A macro on a line of its own; its arguments must be valid mdoc.
    mutating func macro(_ words: String...) {
        line(".\(words.joined(separator: " "))")
    }

    mutating func section(_ title: String) { macro("Sh", title) }

    mutating func subsection(_ title: String) { macro("Ss", title) }

    /// A list of terms, each the arguments of `.It`, and their meanings.
    mutating func definitions(_ items: [(term: String, meaning: String)]) {
        guard !items.isEmpty else { return }
        macro("Bl", "-tag", "-width", "Ds")
        for item in items {
            macro("It", item.term)
            sentences(item.meaning)
        }
        macro("El")
    }

    /// Text in paragraphs, separated by blank lines. Lines that begin with a space stay unchanged.
    ///
    /// - Parameter isFirst: whether it is the first text of its section.
    mutating func prose(_ text: String, isFirst: Bool) {
        var isFirst = isFirst
        var waiting: [Substring] = []
        func flush(_ page: inout MdocWriter) {
            guard let first = waiting.first else { return }
            if first.hasPrefix(" ") {
                page.literal(waiting.map(String.init))
            } else {
                if !isFirst { page.macro("Pp") }
                page.sentences(waiting.joined(separator: " "))
            }
            isFirst = false
            waiting = []
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let continues = waiting.first.map { $0.hasPrefix(" ") == line.hasPrefix(" ") } ?? true
            if line.isEmpty || !continues { flush(&self) }
            if !line.isEmpty { waiting.append(line) }
        }
        flush(&self)
    }

    /// Lines that are shown unchanged, indented.
    mutating func literal(_ lines: [String]) {
        let indent = lines.map { $0.prefix { $0 == " " }.count }.min() ?? 0
        macro("Bd", "-literal", "-offset", "indent")
        for text in lines { line(Self.protected(Self.escaped(String(text.dropFirst(indent)), isLiteral: true))) }
        macro("Ed")
    }

    // MARK: Text

    /// Wraps lines, and starts each sentence on a new line, which roff needs to space sentences.
    mutating func sentences(_ text: String) {
        var current = ""
        func flush(_ page: inout MdocWriter) {
            if !current.isEmpty { page.line(Self.protected(current)) }
            current = ""
        }
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            let escaped = Self.escaped(String(word), isLiteral: word.hasPrefix("-"))
            if !current.isEmpty, current.count + 1 + escaped.count > Self.maximumColumns { flush(&self) }
            current += current.isEmpty ? escaped : " \(escaped)"
            // A bracket or a quotation mark may follow the end of a sentence.
            let last = word.last { !")\"".contains($0) }
            if let last, ".!?".contains(last) { flush(&self) }
        }
        flush(&self)
    }

    /// An argument of a macro.
    static func argument(_ text: String) -> String {
        let escaped = escaped(text, isLiteral: true)
        return escaped.contains(" ") || escaped.contains("\"")
            ? "\"\(escaped.replacing("\"", with: "\"\""))\"" : escaped
    }

    private mutating func line(_ text: String) { self.text += "\(text)\n" }

    /// - Parameter isLiteral: whether hyphens and quotes must be ASCII, for text to be typed.
    private static func escaped(_ text: String, isLiteral: Bool) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\": "\\e"
            case "-" where isLiteral: "\\-"
            case "'" where isLiteral: "\\(aq"
            case "~" where isLiteral: "\\(ti"
            case _ where scalar.value > 0x7E: "\\[u\(padded(String(scalar.value, radix: 16, uppercase: true)))]"
            default: String(scalar)
            }
        }.joined()
    }

    private static func padded(_ digits: String) -> String {
        String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Escapes a line that would be taken for a macro.
    private static func protected(_ line: String) -> String {
        line.hasPrefix(".") || line.hasPrefix("'") ? "\\&\(line)" : line
    }
}
