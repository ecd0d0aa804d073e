import COpenSSL

/// Base64 of RFC 4648, section 4, by OpenSSL.
enum Base64 {
    static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        // Four characters for each three bytes, and the NUL that OpenSSL appends.
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        text.removeLast()
        return text
    }

    /// The bytes of a padded text without white space; nil for any other text.
    static func decoded(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        guard !characters.isEmpty else { return [] }
        var bytes = [UInt8](repeating: 0, count: characters.count / 4 * 3)
        guard EVP_DecodeBlock(&bytes, characters, Int32(characters.count)) == bytes.count else { return nil }
        // OpenSSL decodes the padding to zero bytes.
        bytes.removeLast(characters.suffix(2).count { $0 == UInt8(ascii: "=") })
        // It takes "=" anywhere ("====" for three zeros) and skips white space: only the one text that it would write itself
        // counts.
        return encoded(bytes) == characters ? bytes : nil
    }
}
