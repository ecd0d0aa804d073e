import JSONRPC
import NCloudKMS
import PublicKeys

/// What `get-public-key` can print.
package enum KeyOutput: String, CaseIterable, Sendable {
    /// As the service sent it, byte for byte.
    case pem
    /// SubjectPublicKeyInfo, binary.
    case der
    case jwk
    /// A line of an `authorized_keys` file.
    case ssh
    /// PEM `RSA PUBLIC KEY`.
    case pkcs1
    /// The result of `getPublicKey`.
    case json

    /// - Throws: `-32602` when the key has no such form.
    package func bytes(of answer: PublicKeyAnswer) throws(RPCError) -> [UInt8] {
        let key = answer.key
        let flag = "--format"
        switch self {
        case .pem: return key.pem
        case .der: return key.spki
        case .jwk: return Self.line(KeyFormat.jwk(of: key))
        case .ssh: return Self.line(Array(try KeyFormat.sshLine(of: key, keyTag: answer.keyTag.text, for: flag).utf8))
        case .pkcs1: return Array(try KeyFormat.pkcs1PEM(of: key, for: flag).utf8)
        case .json: return Self.line(try RenderedResult(answer, formats: []).bytes)
        }
    }

    private static func line(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8(ascii: "\n")] }
}
