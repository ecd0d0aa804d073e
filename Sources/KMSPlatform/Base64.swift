/// Base64 (RFC 4648).
package enum Base64 {
    /// The standard alphabet, padded, on one line (RFC 4648, section 4).
    @inlinable package static func encode(_ bytes: some Collection<UInt8>) -> String {
        bytes.withContiguousStorageIfAvailable { encode($0) } ?? Array(bytes).withUnsafeBufferPointer { encode($0) }
    }

    @usableFromInline package static func encode(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        text(of: bytes, standard, isPadded: true)
    }

    /// The URL-safe alphabet, without padding (RFC 7515, section 2: "Base64url Encoding").
    package static func encodeForURL(_ bytes: some Collection<UInt8>) -> String {
        bytes.withContiguousStorageIfAvailable { text(of: $0, urlSafe, isPadded: false) }
            ?? Array(bytes).withUnsafeBufferPointer { text(of: $0, urlSafe, isPadded: false) }
    }

    /// Decodes the standard alphabet. The text must be padded, and the unused bits of its last character must be zero,
    /// so that no two texts without white space decode to the same bytes. Nil for any other text.
    ///
    /// - Parameter skipsWhitespace: whether ASCII white space is allowed anywhere, as between the lines of a PEM text.
    package static func decode(_ text: UnsafeBufferPointer<UInt8>, skipsWhitespace: Bool = false) -> [UInt8]? {
        var isComplete = false
        // Every four characters, and any fewer at the end, decode to at most three bytes.
        let bytes = [UInt8](unsafeUninitializedCapacity: (text.count + 3) / 4 * 3) { bytes, count in
            isComplete = decode(text, to: bytes, &count, skipsWhitespace: skipsWhitespace)
        }
        return isComplete ? bytes : nil
    }

    /// Decodes the standard alphabet, padded and without white space; nil for any other text.
    package static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0) }
    }

    /// Decodes the standard or the URL-safe alphabet (RFC 4648, sections 4 and 5), but not a mix of both. Padding is
    /// optional; otherwise as strict as `decode`.
    package static func decodeAnyAlphabet(_ text: String) -> [UInt8]? {
        var characters = Array(text.utf8)
        if characters.contains(where: { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }) {
            for index in characters.indices {
                switch characters[index] {
                case UInt8(ascii: "-"): characters[index] = UInt8(ascii: "+")
                case UInt8(ascii: "_"): characters[index] = UInt8(ascii: "/")
                case UInt8(ascii: "+"), UInt8(ascii: "/"): return nil
                default: break
                }
            }
        }
        if characters.last != padding {
            characters += [UInt8](repeating: padding, count: (4 - characters.count % 4) % 4)
        }
        return characters.withUnsafeBufferPointer { decode($0) }
    }

    private static let standard: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let urlSafe: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    private static let padding = UInt8(ascii: "=")

    // MARK: Writing

    private static func text(
        of bytes: UnsafeBufferPointer<UInt8>, _ alphabet: StaticString, isPadded: Bool
    ) -> String {
        let count = isPadded ? (bytes.count + 2) / 3 * 4 : (bytes.count * 4 + 2) / 3
        return String(unsafeUninitializedCapacity: count) { text in
            let alphabet = alphabet.utf8Start
            var (read, written) = (0, 0)
            while read &+ 3 <= bytes.count {
                let group = UInt32(bytes[read]) << 16 | UInt32(bytes[read &+ 1]) << 8 | UInt32(bytes[read &+ 2])
                text[written] = alphabet[Int(group >> 18)]
                text[written &+ 1] = alphabet[Int(group >> 12 & 63)]
                text[written &+ 2] = alphabet[Int(group >> 6 & 63)]
                text[written &+ 3] = alphabet[Int(group & 63)]
                read &+= 3
                written &+= 4
            }
            if read < bytes.count {
                let isPair = read + 2 == bytes.count
                let group = UInt32(bytes[read]) << 16 | (isPair ? UInt32(bytes[read + 1]) << 8 : 0)
                text[written] = alphabet[Int(group >> 18)]
                text[written + 1] = alphabet[Int(group >> 12 & 63)]
                written += 2
                if isPair {
                    text[written] = alphabet[Int(group >> 6 & 63)]
                    written += 1
                }
            }
            while written < count {
                text[written] = padding
                written += 1
            }
            return count
        }
    }

    // MARK: Reading

    /// The value of each character; 64 or more for characters outside the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in standard.bytes.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    /// - Returns: whether the text is valid; the bytes before an error are written even if it is not.
    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>, to bytes: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int,
        skipsWhitespace: Bool
    ) -> Bool {
        values.withUnsafeBufferPointer { values in
            // The characters of an incomplete group, and their bits.
            var pending = 0
            var group: UInt32 = 0
            var index = 0
            while index < text.count {
                if pending == 0, index &+ 4 <= text.count {
                    let a = UInt32(values[Int(text[index])]), b = UInt32(values[Int(text[index &+ 1])])
                    let c = UInt32(values[Int(text[index &+ 2])]), d = UInt32(values[Int(text[index &+ 3])])
                    if a | b | c | d < 64 {
                        let group = a << 18 | b << 12 | c << 6 | d
                        bytes[count] = UInt8(truncatingIfNeeded: group >> 16)
                        bytes[count &+ 1] = UInt8(truncatingIfNeeded: group >> 8)
                        bytes[count &+ 2] = UInt8(truncatingIfNeeded: group)
                        count &+= 3
                        index &+= 4
                        continue
                    }
                }
                // One at a time: at a line break, inside a group that a line break splits, and at the end.
                let character = text[index]
                index += 1
                let value = values[Int(character)]
                if value < 64 {
                    group = group << 6 | UInt32(value)
                    pending += 1
                    if pending == 4 {
                        for shift in [16, 8, 0] {
                            bytes[count] = UInt8(truncatingIfNeeded: group >> shift)
                            count += 1
                        }
                        (pending, group) = (0, 0)
                    }
                } else if character == padding {
                    return finish(group, pending, in: text[index...], to: bytes, &count, skipsWhitespace)
                } else if !skipsWhitespace || !character.isASCIIWhitespace {
                    return false
                }
            }
            return pending == 0
        }
    }

    /// Reads the end of a text after its first "=".
    private static func finish(
        _ group: UInt32, _ pending: Int, in rest: Slice<UnsafeBufferPointer<UInt8>>,
        to bytes: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int, _ skipsWhitespace: Bool
    ) -> Bool {
        var paddings = 1
        for character in rest {
            if character == padding {
                paddings += 1
            } else if !skipsWhitespace || !character.isASCIIWhitespace {
                return false
            }
        }
        switch (pending, paddings) {
        case (2, 2) where group & 0xF == 0:
            bytes[count] = UInt8(truncatingIfNeeded: group >> 4)
            count += 1
        case (3, 1) where group & 0x3 == 0:
            bytes[count] = UInt8(truncatingIfNeeded: group >> 10)
            bytes[count + 1] = UInt8(truncatingIfNeeded: group >> 2)
            count += 2
        default: return false
        }
        return true
    }
}
