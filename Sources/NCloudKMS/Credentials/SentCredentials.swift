import JSON
import Platform

/// What a request was authenticated with, to find it again in what the service says: that goes into errors and logs.
package struct SentCredentials: Sendable {
    private let credentials: Credentials?
    private let signature: String?

    /// - Parameter signature: as it was sent; nil for a token.
    package init(_ credentials: Credentials?, signature: String?) {
        self.credentials = credentials
        self.signature = signature
    }

    /// Whether a text has it in it, as it is or in the escapes of JSON or of URLs; or names one of its headers; or has a
    /// run of characters that only a signature looks like.
    package func areRepeated(in text: String) -> Bool {
        let bytes = Array(text.utf8)
        if areWritten(in: bytes) { return true }
        let hasEscapes = bytes.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "%") }
        return hasEscapes && areWritten(in: Self.withoutEscapes(bytes))
    }

    private func areWritten(in text: [UInt8]) -> Bool {
        Self.namesHeader(text) || Self.holdsSignature(text) || repeats(text)
    }

    private static let headers = [
        RequestSigner.signatureHeader, RequestSigner.tokenHeader, RequestSigner.accessKeyHeader,
    ]

    private static func namesHeader(_ text: [UInt8]) -> Bool {
        let lowercase = text.map(\.asciiLowercased)
        return headers.contains { lowercase.holds($0.utf8) }
    }

    private func repeats(_ text: [UInt8]) -> Bool {
        // Fewer characters may be a part of any word.
        func holds(_ secret: some Collection<UInt8>) -> Bool { secret.count >= 8 && text.holds(secret) }
        // The padding may be left out, or look different.
        if let signature, holds(signature.utf8.prefix { $0 != UInt8(ascii: "=") }) { return true }
        return switch credentials?.kind {
        case .keyPair(let id, let secret): holds(id.utf8) || secret.withBytes { holds($0) }
        case .token(let token): token.withBytes { holds($0) }
        case nil: false
        }
    }

    /// `\/`, `\u0041` and `%41` as what they stand for; any other backslash as nothing.
    private static func withoutEscapes(_ text: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        var index = 0
        while index < text.count {
            let rest = text[index...]
            if rest.first == UInt8(ascii: "%"), let byte = hexadecimal(rest.dropFirst().prefix(2)) {
                plain.append(byte)
                index += 3
            } else if rest.starts(with: #"\u00"#.utf8), let byte = hexadecimal(rest.dropFirst(4).prefix(2)) {
                plain.append(byte)
                index += 6
            } else {
                if rest.first != UInt8(ascii: "\\") { plain.append(text[index]) }
                index += 1
            }
        }
        return plain
    }

    /// Two digits as the byte that they stand for.
    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2, let high = digits.first?.hexDigitValue, let low = digits.last?.hexDigitValue else {
            return nil
        }
        return high << 4 | low
    }

    /// SHA-256's 32 bytes are 43 characters of Base64 and one of padding.
    private static func holdsSignature(_ text: [UInt8]) -> Bool {
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
