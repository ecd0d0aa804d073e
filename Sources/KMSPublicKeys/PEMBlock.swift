import KMSPlatform

/// A public key as one PEM block (RFC 7468).
struct PEMBlock {
    enum Label: String {
        /// A SubjectPublicKeyInfo (RFC 5280).
        case publicKey = "PUBLIC KEY"
        /// An RSAPublicKey (PKCS#1, RFC 8017, appendix A.1.1).
        case rsaPublicKey = "RSA PUBLIC KEY"
    }

    /// The largest accepted key, RSA with 16,384 bits, has 2.9 KiB; the rest is for long lines and blanks.
    static let maximumBytes = 8 << 10

    let label: Label
    let der: [UInt8]

    private static let begin: StaticString = "-----BEGIN "
    private static let end: StaticString = "-----END "
    private static let dashes: StaticString = "-----"

    // MARK: Writing

    init(_ label: Label, der: [UInt8]) {
        self.label = label
        self.der = der
    }

    /// 64 columns; each line ends with LF.
    var text: String {
        // 64 columns of Base64 encode 48 bytes, so each line can be encoded separately.
        let bytesPerLine = 48
        var text = "\(Self.begin)\(label.rawValue)\(Self.dashes)\n"
        var rest = der[...]
        while !rest.isEmpty {
            text += Base64.encode(rest.prefix(bytesPerLine))
            text += "\n"
            rest = rest.dropFirst(bytesPerLine)
        }
        return "\(text)\(Self.end)\(label.rawValue)\(Self.dashes)\n"
    }

    // MARK: Reading

    /// Parses a text with exactly one block, only white space around it, and no headers in it. Its lines end with LF,
    /// CRLF or CR and may have any length; blanks at their ends are ignored.
    init(reading text: [UInt8]) throws(PublicKeyError) {
        self = try text.withUnsafeBufferPointer { text throws(PublicKeyError) in try PEMBlock(reading: text) }
    }

    private typealias Bytes = UnsafeBufferPointer<UInt8>

    private init(reading text: Bytes) throws(PublicKeyError) {
        // Checked first, so that a private key is never decoded, whatever else the text contains.
        let privateKey: StaticString = "PRIVATE KEY"
        guard text.firstOffset(of: privateKey.bytes) == nil else { throw .privateKey }
        guard text.count <= Self.maximumBytes else { throw .tooLong }

        let block = Bytes(rebasing: text.trimmingWhitespace())
        guard let afterBegin = block.droppingPrefix(Self.begin.bytes) else {
            throw block.firstOffset(of: Self.begin.bytes) == nil ? .notPEM : .textAroundPEM
        }
        guard let (label, afterLabel) = afterBegin.split(at: Self.dashes),
            let bodyEnd = afterLabel.firstOffset(of: Self.dashes.bytes),
            let rest = Bytes(rebasing: afterLabel[bodyEnd...])
                .droppingPrefix(Self.end.bytes)?.droppingPrefix(label)?.droppingPrefix(Self.dashes.bytes)
        else { throw .malformedPEM }
        guard rest.isEmpty else {
            throw rest.firstOffset(of: Self.begin.bytes) == nil ? .textAroundPEM : .multiplePEMBlocks
        }
        self.label = try Self.label(label)
        der = try Self.decode(body: Bytes(rebasing: afterLabel[..<bodyEnd]))
    }

    private static func label(_ bytes: Bytes) throws(PublicKeyError) -> Label {
        // Enough for every label in use; a longer or unusual one is not worth repeating.
        let longestShown = 32
        let isPlain = bytes.allSatisfy { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") }
        let name = isPlain && bytes.count <= longestShown ? String(decoding: bytes, as: UTF8.self) : "?"
        if let label = Label(rawValue: name) { return label }
        throw name == "CERTIFICATE" || name == "X509 CERTIFICATE" || name == "TRUSTED CERTIFICATE"
            ? .certificate : .unexpectedPEMLabel(name)
    }

    private static func decode(body: Bytes) throws(PublicKeyError) -> [UInt8] {
        // Both boundaries must be on lines of their own.
        guard body.first(where: { !$0.isASCIIBlank })?.isLineEnd == true, body.last?.isLineEnd == true else {
            throw .malformedPEM
        }
        if let der = Base64.decode(body, skipsWhitespace: true) { return der }
        throw body.contains(UInt8(ascii: ":")) ? .pemHeaders : .invalidBase64
    }
}

extension UInt8 {
    fileprivate var isLineEnd: Bool { self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") }
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate func droppingPrefix(_ prefix: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        hasPrefix(prefix) ? UnsafeBufferPointer(rebasing: self[prefix.count...]) : nil
    }

    /// The bytes before the first of these texts, and after it.
    fileprivate func split(
        at text: StaticString
    ) -> (before: UnsafeBufferPointer<UInt8>, after: UnsafeBufferPointer<UInt8>)? {
        guard let offset = firstOffset(of: text.bytes) else { return nil }
        return (
            UnsafeBufferPointer(rebasing: self[..<offset]),
            UnsafeBufferPointer(rebasing: self[(offset + text.utf8CodeUnitCount)...])
        )
    }
}
