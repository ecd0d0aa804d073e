import JSON
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
    /// A JWK Set (RFC 7517, section 5) of keys that verify signatures.
    case jwks
    /// A line of an `authorized_keys` file.
    case ssh
    /// PEM `RSA PUBLIC KEY`.
    case pkcs1
    /// The result of `getPublicKey`; an array of them if there are several.
    case json

    /// Whether it is not for the eyes of people.
    package var isBinary: Bool { self == .der }

    /// The keys one after the other, or in one JSON text, in their order.
    ///
    /// - Throws: `-32602` when a key has no such form.
    package func bytes(of answers: [PublicKeyAnswer]) throws(RPCError) -> [UInt8] {
        switch self {
        case .jwks:
            return Self.line { json in
                json.object { set in
                    set.member("keys") { json in
                        json.array { keys in
                            for answer in answers { answer.key.writeVerifyingJWK(to: &keys) }
                        }
                    }
                }
            }
        case .json:
            var results: [[UInt8]] = []
            for answer in answers { results.append(try RenderedResult(answer, formats: []).bytes) }
            if results.count == 1 { return Self.line(results[0]) }
            return Self.line { json in
                json.array { array in
                    for result in results { array.raw(result) }
                }
            }
        case .pem, .der, .jwk, .ssh, .pkcs1:
            var bytes: [UInt8] = []
            for answer in answers {
                // The service may send a PEM whose last line has no end, which would run into the next block.
                if self == .pem, let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
                bytes += try encoding(of: answer)
            }
            return bytes
        }
    }

    /// One key in a form that others can follow.
    private func encoding(of answer: PublicKeyAnswer) throws(RPCError) -> [UInt8] {
        let key = answer.key
        switch self {
        case .der: return key.spki
        case .jwk: return Self.line { key.writeJWK(to: &$0) }
        case .ssh:
            guard let line = key.sshLine(comment: answer.keyTag.text) else {
                throw .invalidParams("--format", "asks for ssh, which has no keys on secp256k1, as \(answer.keyTag) is")
            }
            return Self.line(Array(line.utf8))
        case .pkcs1:
            guard let pem = key.pkcs1PEM else {
                throw .invalidParams(
                    "--format", "asks for pkcs1, which only RSA keys have, and \(answer.keyTag) is an EC key")
            }
            return Array(pem.utf8)
        case .pem, .jwks, .json: return key.pem
        }
    }

    private static func line(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8(ascii: "\n")] }

    private static func line(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        write(&json)
        return line(json.bytes)
    }
}
