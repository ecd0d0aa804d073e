// Text as bytes: ASCII character classes, comparison, search, trimming and decimal numbers. `@inlinable` where it
// matters: a generic function of another module is ten times as slow if the compiler can't see its body.

extension UInt8 {
    /// `0` to `9`.
    @inlinable package var isASCIIDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// `A` to `Z` or `a` to `z`.
    @inlinable package var isASCIILetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }

    @inlinable package var isASCIILetterOrDigit: Bool { isASCIILetter || isASCIIDigit }

    /// A printable character other than a space.
    @inlinable package var isVisibleASCII: Bool { self > 0x20 && self < 0x7F }

    /// The lower-case form of an upper-case letter; any other byte unchanged.
    @inlinable package var asciiLowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }

    /// A space, or one of the characters from tab (0x09) to carriage return (0x0D).
    @inlinable package var isASCIIWhitespace: Bool { self == 0x20 || self &- 0x09 < 5 }

    /// A space or a tab: what may separate words within a line.
    @inlinable package var isASCIIBlank: Bool { self == 0x20 || self == 0x09 }

    /// The value of a hexadecimal digit in either case; nil for other characters.
    @inlinable package var hexDigitValue: UInt8? {
        if isASCIIDigit { return self &- UInt8(ascii: "0") }
        let letter = (self | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : nil
    }

    /// The byte that two hexadecimal digits represent; nil if one of them is not a hexadecimal digit.
    @inlinable package init?(hexDigits high: UInt8, _ low: UInt8) {
        guard let high = high.hexDigitValue, let low = low.hexDigitValue else { return nil }
        self = high << 4 | low
    }

    /// The byte as two hexadecimal digits, in lower case.
    @inlinable package var hexDigits: (high: UInt8, low: UInt8) {
        func digit(_ value: UInt8) -> UInt8 { value &+ (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") &- 10) }
        return (digit(self >> 4), digit(self & 15))
    }
}

extension Collection where Element == UInt8 {
    /// Two lower-case hexadecimal digits per byte.
    package var hexadecimal: String {
        String(decoding: flatMap { [$0.hexDigits.high, $0.hexDigits.low] }, as: UTF8.self)
    }

    /// Without a leading UTF-8 byte order mark, which some editors and shells write.
    @inlinable package func droppingByteOrderMark() -> SubSequence {
        starts(with: StaticString.byteOrderMark.bytes) ? dropFirst(3) : self[...]
    }

    /// Whether `wanted` occurs as a contiguous run of these bytes.
    @inlinable package func holds(_ wanted: some Collection<UInt8>) -> Bool {
        let found = withContiguousStorageIfAvailable { bytes in
            wanted.withContiguousStorageIfAvailable { bytes.firstOffset(of: $0) != nil }
        }
        return (found ?? nil) ?? Array(self).holds(Array(wanted))
    }
}

extension BidirectionalCollection where Element == UInt8 {
    /// Without the white space at both ends.
    @inlinable package func trimmingWhitespace() -> SubSequence {
        guard let start = firstIndex(where: { !$0.isASCIIWhitespace }),
            let end = lastIndex(where: { !$0.isASCIIWhitespace })
        else { return self[endIndex...] }
        return self[start...end]
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Compares eight bytes at a time; `elementsEqual` compares one.
    @inlinable package func hasSameBytes(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard let left = UnsafeRawPointer(baseAddress), let right = UnsafeRawPointer(other.baseAddress) else {
            return count == 0
        }
        // The last word may overlap the one before it.
        func isEqual<Word: FixedWidthInteger>(at offset: Int, _: Word.Type) -> Bool {
            left.loadUnaligned(fromByteOffset: offset, as: Word.self)
                == right.loadUnaligned(fromByteOffset: offset, as: Word.self)
        }
        if count >= 8 {
            var index = 0
            while index &+ 8 < count {
                guard isEqual(at: index, UInt64.self) else { return false }
                index &+= 8
            }
            return isEqual(at: count &- 8, UInt64.self)
        }
        if count >= 4 { return isEqual(at: 0, UInt32.self) && isEqual(at: count &- 4, UInt32.self) }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Whether the first bytes are these.
    @inlinable package func hasPrefix(_ prefix: UnsafeBufferPointer<UInt8>) -> Bool {
        count >= prefix.count && UnsafeBufferPointer(rebasing: self[..<prefix.count]).hasSameBytes(as: prefix)
    }

    /// The offset of the first occurrence of `wanted`, 0 if that is empty; nil if it does not occur.
    @usableFromInline package func firstOffset(of wanted: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let first = wanted.first else { return 0 }
        guard let start = baseAddress else { return nil }
        var offset = 0
        while offset <= count - wanted.count,
            let found = memchr(start + offset, CInt(first), count - wanted.count - offset + 1)
        {
            offset = UnsafeRawPointer(found) - UnsafeRawPointer(start)
            if UnsafeBufferPointer(rebasing: self[offset..<(offset + wanted.count)]).hasSameBytes(as: wanted) {
                return offset
            }
            offset += 1
        }
        return nil
    }
}

extension StaticString {
    /// The text as UTF-8; it lives as long as the process.
    @inlinable package var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }

    /// U+FEFF in UTF-8.
    @inlinable package static var byteOrderMark: StaticString { "\u{FEFF}" }
}

extension [UInt8] {
    /// Appends a literal.
    @inlinable package mutating func append(_ text: StaticString) {
        append(contentsOf: text.bytes)
    }

    /// Appends an integer in decimal, without building a string.
    ///
    /// - Parameter minimumDigits: shorter numbers are padded with zeros to this many digits; at most 20.
    package mutating func append(decimal integer: Int, minimumDigits: Int = 1) {
        if integer < 0 { append(UInt8(ascii: "-")) }
        var rest = integer.magnitude
        // 2^64 has 20 digits.
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var start = 20
        repeat {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: remainder)
            rest = quotient
        } while rest > 0
        for index in Swift.min(start, 20 - minimumDigits)..<20 { append(digits[index]) }
    }
}

extension String {
    /// `utf8.allSatisfy` over the string's own storage: several times as fast.
    @inlinable package func hasOnly(_ isAllowed: (UInt8) -> Bool) -> Bool {
        utf8.withContiguousStorageIfAvailable { $0.allSatisfy(isAllowed) } ?? utf8.allSatisfy(isAllowed)
    }

    /// Without the ASCII white space at both ends.
    package func trimmingASCIIWhitespace() -> String {
        String(Substring(utf8.trimmingWhitespace()))
    }

    /// The longest prefix that fits into this many bytes of UTF-8; no Unicode scalar is cut.
    package func prefix(utf8Bytes maximum: Int) -> String {
        guard utf8.count > maximum else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: maximum)
        // If the byte at the cut is a continuation byte, its scalar began before the cut.
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }

    /// The part of an untrusted text that an error or a log line repeats, at most 256 bytes: a message is for people,
    /// and must not grow with bad input in a request, an argument or a file.
    package var excerpt: String { prefix(utf8Bytes: 256) }
}
