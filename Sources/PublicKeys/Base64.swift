import COpenSSL

/// Base64 (RFC 4648), encoded and decoded by OpenSSL.
package enum Base64 {
    /// The standard alphabet, padded, on one line (RFC 4648, section 4).
    package static func encode(_ bytes: [UInt8]) -> String {
        let count = encodedCount(bytes.count)
        // OpenSSL ends the text with a NUL, for which there must be room.
        return String(unsafeUninitializedCapacity: count + 1) { text in
            encode(bytes, to: text)
            return count
        }
    }

    /// The alphabet that is safe in a URL, without padding (RFC 7515, section 2: "Base64url Encoding").
    package static func encodeForURL(_ bytes: [UInt8]) -> String {
        let count = encodedCount(bytes.count)
        return String(unsafeUninitializedCapacity: count + 1) { text in
            encode(bytes, to: text)
            for index in 0..<count {
                switch text[index] {
                case UInt8(ascii: "+"): text[index] = UInt8(ascii: "-")
                case UInt8(ascii: "/"): text[index] = UInt8(ascii: "_")
                default: break
                }
            }
            return count - paddingCount(bytes.count)
        }
    }

    /// The bytes that a text of the standard alphabet stands for: padded, without white space, and with the unused
    /// bits of its last character zero, so that no two texts stand for the same bytes. Nil for any other text.
    package static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0, let length = Int32(exactly: text.count) else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { bytes, count in
            let decoded = EVP_DecodeBlock(bytes.baseAddress, text, length)
            count = max(Int(decoded) - padding, 0)
        }
        // OpenSSL skips white space and takes "=" anywhere: only the one text that it would write itself counts.
        let isCanonical = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count + 1) { again in
            encodedCount(bytes.count) == text.count && encode(bytes, to: again) == length
                && again.prefix(text.count).elementsEqual(text)
        }
        return isCanonical ? bytes : nil
    }

    package static func decode(_ text: String) -> [UInt8]? {
        decode(Array(text.utf8))
    }

    /// The bytes that a text of the standard alphabet or of the one for URLs stands for (RFC 4648, sections 4 and 5), not
    /// of both mixed; padded or not, else as strict as `decode`.
    package static func decodeAnyAlphabet(_ text: String) -> [UInt8]? {
        var characters = Array(text.utf8)
        let isForURL = characters.contains { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        if isForURL {
            guard !characters.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "/") }) else {
                return nil
            }
            for index in characters.indices {
                switch characters[index] {
                case UInt8(ascii: "-"): characters[index] = UInt8(ascii: "+")
                case UInt8(ascii: "_"): characters[index] = UInt8(ascii: "/")
                default: break
                }
            }
        }
        if characters.last != UInt8(ascii: "=") {
            characters += [UInt8](repeating: UInt8(ascii: "="), count: (4 - characters.count % 4) % 4)
        }
        return decode(characters)
    }

    private static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    private static func paddingCount(_ count: Int) -> Int { (3 - count % 3) % 3 }

    /// Writes the text and a NUL; the buffer must have room for both.
    @discardableResult
    private static func encode(_ bytes: [UInt8], to text: UnsafeMutableBufferPointer<UInt8>) -> Int32 {
        EVP_EncodeBlock(text.baseAddress, bytes, Int32(bytes.count))
    }
}
