import KMSJSON
import NCloudKMS
import KMSPublicKeys

/// `get-public-key`: writes one or more keys to stdout or to a file, and nothing else.
package struct KeyPrinter: Sendable {
    package let target: AnswerTarget
    private let queries: [PublicKeyQuery]
    private let format: KeyOutput

    /// - Parameters:
    ///   - version: the version for all keys whose reference has none.
    ///   - output: the value of `-o`.
    /// - Throws: `CommandFailure` if the arguments contradict each other.
    package init(
        _ keys: [KeyReference], version: KeyVersion?, format: KeyOutput, output: String?
    ) throws(CommandFailure) {
        target = try AnswerTarget(path: output)
        if format.isBinary, target.isTerminal {
            throw .usage(
                "--format \(format.rawValue) is binary and can't be shown on a terminal; use -o FILE or a pipe")
        }
        var queries: [PublicKeyQuery] = []
        for key in keys { queries.append(try key.query(version: version)) }
        self.queries = queries
        self.format = format
    }

    /// Writes all keys, or nothing and throws the first error.
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

/// A key on the command line: `KEYTAG` or `KEYTAG@VERSION`. A key tag can't contain `@`.
package struct KeyReference: Equatable, Sendable {
    let keyTag: KeyTag
    /// Nil means the latest.
    let version: KeyVersion?

    init(_ keyTag: KeyTag, version: KeyVersion? = nil) {
        self.keyTag = keyTag
        self.version = version
    }

    /// Parses a reference.
    ///
    /// - Throws: `InvalidValue` named `keyTag` or `keyVersion`.
    package init(_ text: String) throws(InvalidValue) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        keyTag = try KeyTag(String(parts[0]))
        version = parts.count == 2 ? try Self.version(String(parts[1])) : nil
    }

    /// Parses a version.
    ///
    /// - Throws: `InvalidValue` named `keyVersion`.
    package static func version(_ text: String) throws(InvalidValue) -> KeyVersion {
        guard let number = Int(text) else {
            throw InvalidValue(
                "keyVersion",
                "must be an integer from \(KeyVersion.range.lowerBound) to \(KeyVersion.range.upperBound)")
        }
        return try KeyVersion(number)
    }

    /// The query for the key.
    ///
    /// - Parameter general: the value of `--key-version`, for all keys.
    /// - Throws: `CommandFailure` if both specify different versions.
    func query(version general: KeyVersion?) throws(CommandFailure) -> PublicKeyQuery {
        if let version, let general, version != general {
            throw .usage("\(keyTag)@\(version) and --key-version \(general) contradict each other; leave one out")
        }
        return PublicKeyQuery(keyTag: keyTag, version: version ?? general)
    }
}

/// The output formats of `get-public-key`.
package enum KeyOutput: String, CaseIterable, Sendable {
    /// The PEM from the service, byte for byte.
    case pem
    /// SubjectPublicKeyInfo, binary.
    case der
    case jwk
    /// A JWK Set (RFC 7517, section 5) of signature keys.
    case jwks
    /// A line for an `authorized_keys` file.
    case ssh
    /// PEM `RSA PUBLIC KEY`.
    case pkcs1
    /// The result of `getPublicKey`; an array of results for several keys.
    case json

    /// Whether it can't be shown on a terminal.
    var isBinary: Bool { self == .der }

    /// All keys in their order: one after the other, or as one JSON text.
    ///
    /// - Throws: `InvalidValue` named `--format` if a key has no such form.
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
                // The service may send a PEM without a final line feed, which would run into the next block.
                if self == .pem, let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
                bytes += try encoding(of: answer)
            }
            return bytes
        }
    }

    /// One key, in a form that can be followed by others.
    private func encoding(of answer: PublicKeyAnswer) throws(InvalidValue) -> [UInt8] {
        let key = answer.key
        switch self {
        case .der: return key.spki
        case .jwk: return Self.line { key.writeJWK(to: &$0) }
        case .ssh:
            guard let line = key.sshLine(comment: answer.keyTag.text) else {
                throw InvalidValue("--format", "is ssh, but SSH has no secp256k1 keys, and \(answer.keyTag) is one")
            }
            return Self.line(Array(line.utf8))
        case .pkcs1:
            guard let pem = key.pkcs1PEM else {
                throw InvalidValue(
                    "--format", "is pkcs1, which only RSA keys have, but \(answer.keyTag) is an EC key")
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
