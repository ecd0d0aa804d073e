extension UInt8 {
    package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

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

extension [UInt8] {
    /// Whether other bytes are somewhere in these, one after the other. `firstRange(of:)` of the standard library takes
    /// hundreds of instructions a byte for this.
    package func contains(_ wanted: some Collection<UInt8>) -> Bool {
        guard let first = wanted.first else { return true }
        return withUnsafeBytes { bytes in
            var rest = bytes[...]
            while rest.count >= wanted.count, let found = rest.firstIndex(of: first) {
                rest = rest[found...]
                if rest.starts(with: wanted) { return true }
                rest = rest.dropFirst()
            }
            return false
        }
    }
}
