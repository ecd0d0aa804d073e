import KMSPlatform

/// A key in OpenSSH's format (RFC 4253, section 6.6; RFC 5656, section 3.1).
struct OpenSSHKey {
    /// The key's type: `ssh-rsa`, `ecdsa-sha2-nistp256`.
    private let name: String
    private let blob: [UInt8]

    /// Nil for secp256k1, which OpenSSH does not support.
    init?(_ key: PublicKey) {
        var blob: [UInt8] = []
        switch key.material.numbers {
        case .rsa(let key):
            name = "ssh-rsa"
            Self.append(string: name.utf8, to: &blob)
            Self.append(positive: key.exponent, to: &blob)
            Self.append(positive: key.modulus, to: &blob)
        case .ec(let curve, let x, let y):
            guard let identifier = curve.sshIdentifier else { return nil }
            name = "ecdsa-sha2-\(identifier)"
            Self.append(string: name.utf8, to: &blob)
            Self.append(string: identifier.utf8, to: &blob)
            // An uncompressed point (SEC 1, section 2.3.3).
            Self.append(string: [4] + x + y, to: &blob)
        }
        self.blob = blob
    }

    /// One line for an `authorized_keys` file, without a line feed.
    ///
    /// - Parameter comment: the text after the key; its control characters are removed, so that it stays on one line.
    ///   If nothing is left, the line ends after the key.
    func line(comment: String) -> String {
        let comment = String(String.UnicodeScalarView(comment.unicodeScalars.filter { !$0.isLineBreakOrControl }))
        return "\(name) \(Base64.encode(blob))" + (comment.isEmpty ? "" : " \(comment)")
    }

    /// The fingerprint as `ssh-keygen -l` prints it, `SHA256:…`: Base64 without padding.
    var fingerprint: String {
        "SHA256:" + Base64.encode(HashFunction.sha256.digest(of: blob)).prefix { $0 != "=" }
    }

    /// RFC 4251, section 5, "string": the length in four bytes, then the bytes.
    private static func append(string: some Collection<UInt8>, to blob: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(string.count).bigEndian) { blob.append(contentsOf: $0) }
        blob.append(contentsOf: string)
    }

    /// RFC 4251, section 5, "mpint": two's complement, so a number whose highest bit is set needs a leading zero.
    private static func append(positive number: ArraySlice<UInt8>, to blob: inout [UInt8]) {
        let needsSign = number.first.map { $0 >= 0x80 } ?? false
        append(string: needsSign ? [0] + number : number, to: &blob)
    }
}

extension Curve {
    /// The name of RFC 5656, section 10.1.
    fileprivate var sshIdentifier: String? {
        switch self {
        case .p256: "nistp256"
        case .p384: "nistp384"
        case .p521: "nistp521"
        case .secp256k1: nil
        }
    }
}

extension Unicode.Scalar {
    fileprivate var isLineBreakOrControl: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
