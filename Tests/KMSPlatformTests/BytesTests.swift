import KMSPlatform
import Testing

@Suite struct BytesTests {
    @Test func `the classes of ASCII hold for every byte`() {
        for byte in UInt8.min ... .max {
            let scalar = Unicode.Scalar(byte)
            let character = Character(scalar)
            let isASCII = byte < 0x80
            #expect(byte.isASCIIDigit == ("0"..."9").contains(scalar))
            #expect(byte.isASCIILetter == (("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)))
            #expect(byte.isASCIILetterOrDigit == (byte.isASCIIDigit || byte.isASCIILetter))
            #expect(byte.isVisibleASCII == ("!"..."~").contains(scalar))
            #expect(byte.isASCIIWhitespace == " \t\n\u{B}\u{C}\r".unicodeScalars.contains(scalar))
            #expect(byte.isASCIIBlank == (byte == 0x20 || byte == 0x09))
            #expect(byte.asciiLowercased == (isASCII ? character.lowercased().utf8.first : byte))
            #expect(byte.hexDigitValue == (isASCII ? character.hexDigitValue.map { UInt8($0) } : nil))
            #expect(UInt8(hexDigits: byte.hexDigits.high, byte.hexDigits.low) == byte)
        }
        #expect([0x00, 0x9F, 0xAB].hexadecimal == "009fab")
    }

    @Test(arguments: [
        ("", "", true), ("a", "", true), ("", "a", false), ("abc", "abc", true), ("abc", "c", true),
        ("abc", "ac", false),
        ("aab", "ab", true), ("aaaaaaaaaaaab", "aaab", true), ("aaaaaaaaaaaa", "aaab", false), ("ab", "abc", false),
        ("aabaabaa", "aabaa", true), ("aabaabaa", "abaaba", true), ("aabaabaa", "aabaabaab", false),
        ("aabaabaa", "bb", false),
        ("-----BEGIN", "BEGIN", true), ("-----BEGI", "BEGIN", false),
    ])
    func `bytes are found in bytes`(text: String, wanted: String, isHeld: Bool) {
        #expect(Array(text.utf8).holds(Array(wanted.utf8)) == isHeld)
        #expect(text.utf8.holds(wanted.utf8) == isHeld)
    }

    @Test func `the first place counts`() {
        let offset = Array("xabcabc".utf8).withUnsafeBufferPointer { text in
            Array("abc".utf8).withUnsafeBufferPointer { text.firstOffset(of: $0) }
        }
        #expect(offset == 1)
    }

    @Test func `a difference at any place of any length is seen`() {
        for count in 0..<40 {
            let bytes = (0..<count).map { UInt8($0) }
            for index in 0..<count {
                var other = bytes
                other[index] ^= 0x80
                #expect(!bytes.withUnsafeBufferPointer { left in other.withUnsafeBufferPointer(left.hasSameBytes) })
            }
            let copy = bytes.map(\.self)
            #expect(bytes.withUnsafeBufferPointer { left in copy.withUnsafeBufferPointer(left.hasSameBytes) })
            #expect((bytes + [0]).withUnsafeBufferPointer { text in bytes.withUnsafeBufferPointer(text.hasPrefix) })
            #expect(!bytes.withUnsafeBufferPointer { text in (bytes + [0]).withUnsafeBufferPointer(text.hasPrefix) })
        }
    }

    @Test(arguments: [(0, "0"), (-1, "-1"), (10, "10"), (.max, "9223372036854775807"), (.min, "-9223372036854775808")])
    func `integers are written in decimal digits`(integer: Int, text: String) {
        var bytes: [UInt8] = []
        bytes.append(decimal: integer)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test func `zeros precede a number that is too short`() {
        var bytes: [UInt8] = []
        bytes.append(decimal: 7, minimumDigits: 3)
        bytes.append(decimal: 1_234, minimumDigits: 3)
        #expect(String(decoding: bytes, as: UTF8.self) == "0071234")
    }

    @Test func `a byte order mark is dropped once, and only at the start`() {
        #expect(Array("\u{FEFF}a\u{FEFF}".utf8).droppingByteOrderMark().elementsEqual("a\u{FEFF}".utf8))
        #expect(Array("a".utf8).droppingByteOrderMark().elementsEqual("a".utf8))
    }

    @Test(arguments: [("", ""), (" \t\r\n", ""), (" a b\u{C}", "a b"), ("\u{A0}a", "\u{A0}a")])
    func `white space at the ends is trimmed`(text: String, trimmed: String) {
        #expect(text.trimmingASCIIWhitespace() == trimmed)
    }
}
