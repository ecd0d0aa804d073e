import JSON
import JSONRPC
import PublicKeys

/// An encoding of a key that a client can ask for beside the service's own PEM.
enum KeyFormat: String, CaseIterable, Sendable {
    case spki, pkcs1, der, jwk, ssh

    /// The formats by name, each once, in the order of the list.
    static func formats(named names: [String]) throws(RPCError) -> [KeyFormat] {
        var wanted: Set<KeyFormat> = []
        for name in names {
            guard let format = KeyFormat(rawValue: name) else {
                let known = allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
                throw .invalidParams("formats", "may hold \(known) only")
            }
            wanted.insert(format)
        }
        return allCases.filter(wanted.contains)
    }

    /// The members that the format adds to a result, each with its JSON.
    ///
    /// - Parameter keyTag: the comment of the OpenSSH line.
    func members(of key: PublicKey, keyTag: String) throws(RPCError) -> [(name: String, json: [UInt8])] {
        switch self {
        case .spki:
            return [("spki", Self.json(key.spkiPEM))]
        case .der:
            return [("der", Self.json(key.derBase64))]
        case .pkcs1: return [("pkcs1", Self.json(try Self.pkcs1PEM(of: key)))]
        case .jwk: return [("jwk", Self.jwk(of: key))]
        case .ssh:
            let line = try Self.sshLine(of: key, keyTag: keyTag)
            return [("ssh", Self.json(line)), ("sshFingerprint", Self.json(key.sshFingerprint ?? ""))]
        }
    }

    // MARK: The forms that not every key has, and the one that is no text

    private static func pkcs1PEM(of key: PublicKey) throws(RPCError) -> String {
        guard let pem = key.pkcs1PEM else {
            throw .invalidParams("formats", "asks for \"pkcs1\", which only RSA keys have, and this is an EC key")
        }
        return pem
    }

    private static func sshLine(of key: PublicKey, keyTag: String) throws(RPCError) -> String {
        guard let line = key.sshLine(comment: keyTag) else {
            throw .invalidParams("formats", "asks for \"ssh\", which has no keys on secp256k1")
        }
        return line
    }

    private static func jwk(of key: PublicKey) -> [UInt8] {
        var json = JSONWriter()
        key.writeJWK(to: &json)
        return json.bytes
    }

    private static func json(_ text: String) -> [UInt8] {
        var json = JSONWriter()
        json.value(text)
        return json.bytes
    }
}
