import KMSJSON
import NCloudKMS
import KMSPublicKeys

/// `get-public-key`: some keys, alone on stdout or in a file.
package struct KeyPrinter: Sendable {
    package let target: AnswerTarget
    private let queries: [PublicKeyQuery]
    private let format: KeyOutput

    /// - Parameters:
    ///   - version: the one of all keys that don't name theirs.
    ///   - output: where the keys go, as `-o` has it.
    /// - Throws: `CommandFailure` when these don't go together.
    package init(
        _ keys: [KeyReference], version: KeyVersion?, format: KeyOutput, output: String?
    ) throws(CommandFailure) {
        target = try AnswerTarget(path: output)
        if format.isBinary, target.isTerminal {
            throw .usage("--format \(format.rawValue) is binary, which a terminal can't show: use -o FILE or a pipe")
        }
        var queries: [PublicKeyQuery] = []
        for key in keys { queries.append(try key.query(version: version)) }
        self.queries = queries
        self.format = format
    }

    /// Writes all keys, or nothing: the first error is thrown.
    package func run(_ client: KMSClient) throws(CommandFailure) {
        let bytes: [UInt8]
        do {
            bytes = try format.bytes(of: try client.waitForKeys(queries).map { try $0.get() })
        } catch {
            throw CommandFailure(of: error)
        }
        try target.write(bytes)
    }
}

/// What names a key on a command line: `KEYTAG`, or `KEYTAG@VERSION`. No key's tag holds an `@`.
package struct KeyReference: Equatable, Sendable {
    let keyTag: KeyTag
    /// Nil is the latest.
    let version: KeyVersion?

    init(_ keyTag: KeyTag, version: KeyVersion? = nil) {
        self.keyTag = keyTag
        self.version = version
    }

    /// - Throws: `InvalidValue` named `keyTag` or `keyVersion`.
    package init(_ text: String) throws(InvalidValue) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        keyTag = try KeyTag(String(parts[0]))
        version = parts.count == 2 ? try Self.version(String(parts[1])) : nil
    }

    /// - Throws: `InvalidValue` named `keyVersion`.
    package static func version(_ text: String) throws(InvalidValue) -> KeyVersion {
        guard let number = Int(text) else {
            throw InvalidValue(
                "keyVersion",
                "must be a whole number from \(KeyVersion.range.lowerBound) to \(KeyVersion.range.upperBound)")
        }
        return try KeyVersion(number)
    }

    /// The query for the key.
    ///
    /// - Parameter general: the version that `--key-version` names for all keys.
    /// - Throws: `CommandFailure` when the two name different versions.
    func query(version general: KeyVersion?) throws(CommandFailure) -> PublicKeyQuery {
        if let version, let general, version != general {
            throw .usage("\(keyTag)@\(version) and --key-version \(general) contradict each other: leave one out")
        }
        return PublicKeyQuery(keyTag: keyTag, version: version ?? general)
    }
}

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
    var isBinary: Bool { self == .der }

    /// The keys one after the other, or in one JSON text, in their order.
    ///
    /// - Throws: `InvalidValue` named `--format` when a key has no such form.
    func bytes(of answers: [PublicKeyAnswer]) throws(InvalidValue) -> [UInt8] {
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
            for answer in answers { results.append(try RenderedKey(answer, formats: []).bytes) }
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
    private func encoding(of answer: PublicKeyAnswer) throws(InvalidValue) -> [UInt8] {
        let key = answer.key
        switch self {
        case .der: return key.spki
        case .jwk: return Self.line { key.writeJWK(to: &$0) }
        case .ssh:
            guard let line = key.sshLine(comment: answer.keyTag.text) else {
                throw InvalidValue("--format", "asks for ssh, which has no keys on secp256k1, as \(answer.keyTag) is")
            }
            return Self.line(Array(line.utf8))
        case .pkcs1:
            guard let pem = key.pkcs1PEM else {
                throw InvalidValue(
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
