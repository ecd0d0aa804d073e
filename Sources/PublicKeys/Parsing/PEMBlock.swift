import Platform

/// The one PEM block of a text (RFC 7468), with nothing but white space around it and no headers in it.
struct PEMBlock {
    enum Label {
        /// `PUBLIC KEY`: a SubjectPublicKeyInfo (RFC 5280).
        case publicKey
        /// `RSA PUBLIC KEY`: an RSAPublicKey (PKCS#1, RFC 8017, appendix A.1.1).
        case rsaPublicKey
    }

    /// The largest key that is accepted, RSA with 16,384 bits, has 2.9 KiB; the rest is for long lines and blanks.
    static let maximumBytes = 8 << 10

    let label: Label
    let der: [UInt8]

    /// Lines end in LF, CRLF or CR and may be of any length; blanks at their ends don't count.
    init(_ text: [UInt8]) throws(PublicKeyError) {
        // Before all else, so that a private key never gets as far as being decoded, whatever stands next to it.
        guard text[...].firstIndex(of: "PRIVATE KEY") == nil else { throw .privateKey }
        guard text.count <= Self.maximumBytes else { throw .tooLong }

        let block = text.trimmingWhitespace()
        guard block.starts(with: Self.begin) else {
            throw block.firstIndex(of: Self.begin) == nil ? .notPEM : .textAroundPEM
        }
        let labelStart = block.startIndex + Self.begin.utf8CodeUnitCount
        guard let labelEnd = block[labelStart...].firstIndex(of: Self.dashes) else { throw .malformedPEM }
        let label = block[labelStart..<labelEnd]

        let bodyStart = labelEnd + Self.dashes.utf8CodeUnitCount
        guard let bodyEnd = block[bodyStart...].firstIndex(of: Self.dashes) else { throw .malformedPEM }
        let rest = try Self.dropEndBoundary(of: label, from: block[bodyEnd...])
        guard rest.isEmpty else {
            throw rest.firstIndex(of: Self.begin) == nil ? .textAroundPEM : .multiplePEMBlocks
        }

        self.label = try Self.kind(of: label)
        der = try Self.decode(body: block[bodyStart..<bodyEnd])
    }

    private static let begin: StaticString = "-----BEGIN "
    private static let end: StaticString = "-----END "
    private static let dashes: StaticString = "-----"

    private static func dropEndBoundary(
        of label: ArraySlice<UInt8>, from text: ArraySlice<UInt8>
    ) throws(PublicKeyError) -> ArraySlice<UInt8> {
        guard text.starts(with: end) else { throw .malformedPEM }
        let afterEnd = text.dropFirst(end.utf8CodeUnitCount)
        guard afterEnd.starts(with: label) else { throw .malformedPEM }
        let afterLabel = afterEnd.dropFirst(label.count)
        guard afterLabel.starts(with: dashes) else { throw .malformedPEM }
        return afterLabel.dropFirst(dashes.utf8CodeUnitCount)
    }

    private static func kind(of label: ArraySlice<UInt8>) throws(PublicKeyError) -> Label {
        // Long enough for every label in use; what is longer or odd is not worth repeating.
        let longestShown = 32
        let isPlain = label.allSatisfy { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") }
        let name = isPlain && label.count <= longestShown ? String(decoding: label, as: UTF8.self) : "?"
        switch name {
        case "PUBLIC KEY": return .publicKey
        case "RSA PUBLIC KEY": return .rsaPublicKey
        case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE": throw .certificate
        default: throw .unexpectedPEMLabel(name)
        }
    }

    private static func decode(body: ArraySlice<UInt8>) throws(PublicKeyError) -> [UInt8] {
        // Both boundaries stand on lines of their own.
        guard body.first(where: { !$0.isBlank })?.isLineEnd == true, body.last?.isLineEnd == true else {
            throw .malformedPEM
        }
        guard !body.contains(UInt8(ascii: ":")) else { throw .pemHeaders }
        guard let der = Base64.decode(body.filter { !$0.isASCIIWhitespace }) else { throw .invalidBase64 }
        return der
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
    fileprivate var isLineEnd: Bool { self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") }
}

extension ArraySlice<UInt8> {
    fileprivate func starts(with text: StaticString) -> Bool {
        starts(with: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Where `text`, which is not empty, begins for the first time.
    fileprivate func firstIndex(of text: StaticString) -> Int? {
        var rest = self
        while let candidate = rest.firstIndex(of: text.utf8Start[0]) {
            if rest[candidate...].starts(with: text) { return candidate }
            rest = rest[(candidate + 1)...]
        }
        return nil
    }
}
