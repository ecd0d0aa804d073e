import KMSPlatform

/// The credentials of a request, to detect them in the service's texts, which go into errors and logs.
struct SentCredentials: Sendable {
    private let credentials: Credentials?
    private let signature: String?

    /// - Parameter signature: the signature as sent; nil for a token.
    init(_ credentials: Credentials?, signature: String?) {
        self.credentials = credentials
        self.signature = signature
    }

    /// Whether a text repeats them, plainly or escaped as in JSON or URLs; or names one of the authentication headers;
    /// or has a run of characters that looks like a signature.
    func areRepeated(in text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            if areWritten(in: bytes) { return true }
            let hasEscapes = bytes.contains { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "%") }
            return hasEscapes && Self.withoutEscapes(bytes).withUnsafeBufferPointer(areWritten)
        }
    }

    private func areWritten(in text: UnsafeBufferPointer<UInt8>) -> Bool {
        Self.namesHeader(text) || Self.holdsSignature(text) || repeats(text)
    }

    private static let headers = [
        RequestSigner.signatureHeader, RequestSigner.tokenHeader, RequestSigner.accessKeyHeader,
    ]

    private static func namesHeader(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        // All of the names begin with an "x".
        for start in text.indices where text[start].asciiLowercased == UInt8(ascii: "x") {
            let rest = text[start...].lazy.map(\.asciiLowercased)
            if headers.contains(where: { rest.starts(with: $0.utf8) }) { return true }
        }
        return false
    }

    private func repeats(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        func holds(_ secret: UnsafeBufferPointer<UInt8>) -> Bool {
            // Shorter texts may be part of any word.
            secret.count >= 8 && text.firstOffset(of: secret) != nil
        }
        func holds(_ secret: String, withoutPadding: Bool = false) -> Bool {
            var secret = secret
            return secret.withUTF8 { secret in
                let padding = withoutPadding && secret.last == UInt8(ascii: "=") ? 1 : 0
                return holds(UnsafeBufferPointer(rebasing: secret.dropLast(padding)))
            }
        }
        // The padding may be missing, or escaped.
        if let signature, holds(signature, withoutPadding: true) { return true }
        return switch credentials?.kind {
        case .keyPair(let id, let secret): holds(id) || secret.withBytes(holds)
        case .token(let token): token.withBytes(holds)
        case nil: false
        }
    }

    /// Decodes `\/`, `\u0041` and `%41`; removes any other backslash.
    private static func withoutEscapes(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var plain: [UInt8] = []
        var rest = text[...]
        while let first = rest.first {
            let digitsStart = rest.startIndex + (first == UInt8(ascii: "%") ? 1 : 4)
            let isEscape = first == UInt8(ascii: "%") || rest.starts(with: #"\u00"#.utf8)
            if isEscape, digitsStart + 2 <= rest.endIndex,
                let byte = UInt8(hexDigits: rest[digitsStart], rest[digitsStart + 1])
            {
                plain.append(byte)
                rest = rest[(digitsStart + 2)...]
            } else {
                if first != UInt8(ascii: "\\") { plain.append(first) }
                rest = rest.dropFirst()
            }
        }
        return plain
    }

    /// A SHA-256 digest of 32 bytes is 43 characters of Base64 and one of padding.
    private static func holdsSignature(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard text.count > 43 else { return false }
        var run = 0
        for byte in text {
            if byte == UInt8(ascii: "="), run == 43 { return true }
            run = byte.isASCIILetterOrDigit || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/") ? run + 1 : 0
        }
        return false
    }
}
