import KMSPlatform

/// The contents of strings, as bytes: what scanning, decoding and writing share.
enum JSONString {
    /// The offset of the first byte at or after `start` that is not plain: a quote, a backslash, a control character,
    /// or a byte ≥ 0x80; the end if there is none. Checks eight bytes at a time, because most strings are plain.
    static func endOfPlainRun(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var index = start
        if let base = bytes.baseAddress {
            while index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
                let special = specialBytes(word)
                if special != 0 { return index &+ special.trailingZeroBitCount / 8 }
                index &+= 8
            }
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            index &+= 1
        }
        return index
    }

    /// Marks the highest bit of each of the eight bytes that is below 0x20, a quote, a backslash or above 0x7F. The
    /// lowest mark is exact; borrows may set marks above it by mistake.
    @inline(__always)
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let belowSpace = word &- (ones &* 0x20)
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        return (word | belowSpace | (quote &- ones) | (backslash &- ones)) & highs
    }

    /// The end of the UTF-8 character of two to four bytes at `start`. Throws `invalidUTF8` for an overlong form, a
    /// surrogate, or a value above U+10FFFF (RFC 3629, section 4).
    static func endOfMultibyteCharacter(
        in bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(JSONError) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes[start] {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw JSONError(.invalidUTF8, at: start)
        }
        guard start + length <= bytes.count, second.contains(bytes[start + 1]) else {
            throw JSONError(.invalidUTF8, at: start)
        }
        for index in (start + 2)..<max(start + length, start + 2) where !(0x80...0xBF).contains(bytes[index]) {
            throw JSONError(.invalidUTF8, at: start)
        }
        return start + length
    }

    /// The value of the four hexadecimal digits at `start`, which must have been checked.
    static func codeUnit(in bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> UInt16 {
        (start..<(start + 4)).reduce(0) { $0 << 4 | UInt16(bytes[$1].hexDigitValue ?? 0) }
    }

    /// The characters of checked string contents, with escapes decoded.
    static func decode(_ contents: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(contents.count)
        var index = 0
        while index < contents.count {
            guard contents[index] == UInt8(ascii: "\\") else {
                // At least one byte, plain or not: only a backslash does not stand for itself.
                let end = max(endOfPlainRun(in: contents, from: index), index + 1)
                decoded.append(contentsOf: UnsafeBufferPointer(rebasing: contents[index..<end]))
                index = end
                continue
            }
            let escape = contents[index + 1]
            index += 2
            switch escape {
            case UInt8(ascii: "b"): decoded.append(0x08)
            case UInt8(ascii: "f"): decoded.append(0x0C)
            case UInt8(ascii: "n"): decoded.append(0x0A)
            case UInt8(ascii: "r"): decoded.append(0x0D)
            case UInt8(ascii: "t"): decoded.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = UInt32(codeUnit(in: contents, at: index))
                index += 4
                if (0xD800..<0xDC00).contains(scalar) {
                    let low = UInt32(codeUnit(in: contents, at: index + 2))
                    scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
                    index += 6
                }
                if let scalar = Unicode.Scalar(scalar) { decoded.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
            default: decoded.append(escape)
            }
        }
        return decoded
    }
}
