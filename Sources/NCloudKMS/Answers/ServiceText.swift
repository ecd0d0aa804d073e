/// Text that the service chose, cut so that an answer of ours stays small (02-wire-protocol.md, Errors).
package enum ServiceText {
    /// Twice the longest message that the references show, with room for a key tag in it.
    package static let maximumBytes = 1_024

    /// The first characters of `text` that fit into `maximumBytes` of UTF-8; no character is cut.
    package static func capped(_ text: String) -> String {
        guard text.utf8.count > maximumBytes else { return text }
        let utf8 = text.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: maximumBytes)
        // A continuation byte at the cut means that its character began before it.
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(text[..<end])
    }
}
