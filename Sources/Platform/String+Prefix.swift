extension String {
    /// The first characters that fit into this many bytes of UTF-8; no Unicode scalar is cut.
    package func prefix(utf8Bytes maximum: Int) -> String {
        guard utf8.count > maximum else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: maximum)
        // A continuation byte at the cut means that its scalar began before it.
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }

    /// As much of somebody else's text as an error or a log repeats, 256 bytes: a message is for reading, and must not
    /// grow with what is wrong in a request, an argument or a file.
    package var excerpt: String { prefix(utf8Bytes: 256) }
}
