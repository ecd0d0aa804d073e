extension PublicKey {
    /// PEM `PUBLIC KEY` as RFC 7468 writes it: 64 columns, each line ended by LF.
    public var spkiPEM: String { Self.pem(label: "PUBLIC KEY", spki[...]) }

    /// PEM `RSA PUBLIC KEY` (PKCS#1), 64 columns, each line ended by LF. Nil for an EC key, which has no such form.
    public var pkcs1PEM: String? {
        guard case .rsa = material.numbers else { return nil }
        return Self.pem(label: "RSA PUBLIC KEY", spki[SubjectPublicKeyInfo.rsaHeaderCount...])
    }

    /// The Base64 of the DER SubjectPublicKeyInfo, on one line.
    public var derBase64: String { Base64.encode(spki) }

    private static func pem(label: String, _ der: ArraySlice<UInt8>) -> String {
        // 64 columns of Base64 stand for 48 bytes, so each line can be encoded on its own.
        let bytesPerLine = 48
        var text = "-----BEGIN \(label)-----\n"
        var rest = der
        while !rest.isEmpty {
            text += Base64.encode(Array(rest.prefix(bytesPerLine)))
            text += "\n"
            rest = rest.dropFirst(bytesPerLine)
        }
        return text + "-----END \(label)-----\n"
    }
}
