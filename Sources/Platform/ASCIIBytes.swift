extension UInt8 {
    package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// A capital letter as its small one; anything else as it is.
    package var asciiLowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }

    /// A space, or one of the characters from tab to carriage return.
    package var isASCIIWhitespace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}

extension BidirectionalCollection where Element == UInt8 {
    /// Without the white space at both ends.
    package func trimmingWhitespace() -> SubSequence {
        guard let start = firstIndex(where: { !$0.isASCIIWhitespace }),
            let end = lastIndex(where: { !$0.isASCIIWhitespace })
        else { return self[endIndex...] }
        return self[start...end]
    }
}

extension Collection where Element == UInt8 {
    /// Without the byte order mark of UTF-8 at its start, which some editors and shells write.
    package func droppingByteOrderMark() -> SubSequence {
        starts(with: [0xEF, 0xBB, 0xBF]) ? dropFirst(3) : self[...]
    }
}

extension String {
    /// Without the ASCII white space at both ends.
    package func trimmingASCIIWhitespace() -> String {
        String(Substring(utf8.trimmingWhitespace()))
    }
}
