import KMSPlatform

extension SharedStateConfiguration.Password {
    /// The password now; nil if there is none.
    func read() throws(EngineLoss) -> SecretBytes? {
        switch self {
        case .none: return nil
        case .text(let secret): return secret
        case .file(let path):
            let contents = try SecretFile.read("password of the shared engine", path)
            let password = contents.withBytes { bytes in
                var end = bytes.count
                if end > 0, bytes[end - 1] == UInt8(ascii: "\n") { end -= 1 }
                if end < bytes.count, end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
                return SecretBytes(bytes[..<end])
            }
            guard password.count > 0 else {
                throw EngineLoss(
                    kind: .credentials,
                    message: "the file \(path.excerpt) with the password of the shared engine is empty")
            }
            return password
        }
    }
}

extension SharedStateConfiguration {
    /// The client's certificate now; nil if there is none.
    func readIdentity() throws(EngineLoss) -> CurlStream.Peer.Identity? {
        guard address.usesTLS, let clientCertificate, let clientKey else { return nil }
        return CurlStream.Peer.Identity(
            certificate: try SecretFile.read("client certificate for the shared engine", clientCertificate),
            key: try SecretFile.read("key of the client certificate for the shared engine", clientKey))
    }
}

extension SecretFile {
    /// - Parameter what: the content, for the error.
    fileprivate static func read(_ what: String, _ path: String) throws(EngineLoss) -> SecretBytes {
        do throws(Problem) {
            return try SecretFile(reading: path).contents
        } catch {
            throw EngineLoss(
                kind: .credentials, message: "the file \(path.excerpt) with the \(what) can't be read: \(error)")
        }
    }
}
