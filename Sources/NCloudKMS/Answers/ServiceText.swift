import Platform

/// Text that the service chose: cut so that an answer of ours stays small (02-wire-protocol.md, Errors), and not
/// repeated at all when it holds a secret.
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

    static func holdsPrivateKey(_ text: [UInt8]) -> Bool {
        text.contains("PRIVATE KEY".utf8)
    }

    /// Whether a text repeats what the request was authenticated with: it has that in it, it names one of those headers, or
    /// it has a run of characters that only a signature looks like.
    static func holdsCredentials(_ text: String, of credentials: Credentials?) -> Bool {
        let lowercase = Array(text.lowercased().utf8)
        return holdsSignature(text.utf8) || credentialHeaders.contains { lowercase.contains($0.utf8) }
            || credentials?.areRepeated(in: text) ?? false
    }

    private static let credentialHeaders = [
        RequestSigner.signatureHeader, RequestSigner.tokenHeader, RequestSigner.accessKeyHeader,
    ]

    /// SHA-256's 32 bytes are 43 characters of Base64 and one of padding.
    private static func holdsSignature(_ text: String.UTF8View) -> Bool {
        var run = 0
        for byte in text {
            if byte == UInt8(ascii: "="), run == 43 { return true }
            run = byte.isBase64 ? run + 1 : 0
        }
        return false
    }
}

extension UInt8 {
    fileprivate var isBase64: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
