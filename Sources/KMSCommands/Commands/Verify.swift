import KMSJSON
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// `verify`: the signature of one file, verified here.
package struct FileVerification: Sendable {
    /// Signatures by the largest keys have 2 KiB, in Base64 not 3.
    private static let maximumSignatureBytes = 64 << 10

    private let key: PublicKeyQuery
    private let file: String
    private let signature: String
    private let algorithm: SignatureAlgorithm
    private let encoding: SignatureEncoding

    /// - Parameters:
    ///   - version: the key's, if the reference does not name it.
    ///   - file: the path of what was signed; `-` is stdin.
    ///   - signature: the path of the signature; `-` is stdin.
    /// - Throws: `CommandFailure` when these don't go together.
    package init(
        of file: String, signature: String, by key: KeyReference, version: KeyVersion?, _ algorithm: SignatureAlgorithm,
        _ encoding: SignatureEncoding
    ) throws(CommandFailure) {
        if file == "-", signature == "-" {
            throw .usage("only one of the signature and the signed file can be stdin")
        }
        self.key = try key.query(version: version)
        self.file = file
        self.signature = signature
        self.algorithm = algorithm
        self.encoding = encoding
    }

    /// Writes the verdict to stdout.
    ///
    /// - Returns: whether the signature is valid.
    package func run(_ client: KMSClient) throws(CommandFailure) -> Bool {
        let contents = try signatureContents()
        let isValid = try verdict(on: digest(), contents, by: SignatureVerifier(client))
        do throws(CommandFailure) {
            try AnswerTarget.stdout.write(Array((isValid ? "valid\n" : "not valid\n").utf8))
        } catch  where error.isClosedReader {
            // A reader that closes stdout wants only the status.
        }
        return isValid
    }

    private func signatureContents() throws(CommandFailure) -> [UInt8] {
        do throws(PlatformError) {
            if signature == "-" {
                return try FileContents.of(descriptor: STDIN_FILENO, maximumBytes: Self.maximumSignatureBytes)
            }
            let path = EnvironmentVariables.process.expandingHome(signature)
            return try FileContents.of(path, maximumBytes: Self.maximumSignatureBytes)
        } catch {
            // The same as for every other file that a flag names.
            throw CommandFailure(ConfigurationError("--signature \(signature.excerpt): \(error)", isUsage: false))
        }
    }

    /// Of the file, which may be larger than the memory.
    private func digest() throws(CommandFailure) -> [UInt8] {
        guard var digest = StreamedDigest(algorithm.hash) else {
            throw .internalFault("OpenSSL could not begin a digest")
        }
        do throws(PlatformError) {
            if file == "-" {
                try FileContents.read(descriptor: STDIN_FILENO) { digest.update($0) }
            } else {
                try FileContents.read(EnvironmentVariables.process.expandingHome(file)) { digest.update($0) }
            }
        } catch {
            throw .undecided("\(file.excerpt): \(error)")
        }
        return digest.finish()
    }

    private func verdict(
        on digest: [UInt8], _ contents: [UInt8], by verifier: SignatureVerifier
    ) throws(CommandFailure) -> Bool {
        let signatureFile: SignatureFile
        let verdict: SignatureVerdict
        do {
            signatureFile = try SignatureFile(contents)
            verdict = try verifier.waitForVerdict(
                SignatureQuery(
                    keyTag: key.keyTag, version: key.version, message: .digest(digest),
                    signature: signatureFile.signature, algorithm: algorithm, encoding: encoding)
            ).get()
        } catch {
            throw CommandFailure(of: error).withoutVerdict
        }
        guard verdict.isValid || signatureFile.canBeSignature(by: algorithm) else {
            throw .undecided(
                "--signature \(signature.excerpt): holds no signature by \(algorithm.rawValue), neither as bytes nor as Base64"
            )
        }
        return verdict.isValid
    }
}

/// What a file holds that is said to be a signature.
///
/// It is text, Base64 or the service's form, if it can be read so when the ends of lines are left out, as `openssl base64`
/// breaks lines; else it is the signature itself. No real signature looks like Base64: all of its 64 or more bytes would
/// have to be among the 64 characters, one in four each.
struct SignatureFile: Sendable {
    let signature: ServiceSignature
    /// Hexadecimal digits alone. A signature in Base64 has other characters, too.
    private let looksHexadecimal: Bool

    /// - Throws: `InvalidValue` for a file that begins like the service's form and does not go on so.
    init(_ contents: [UInt8]) throws(InvalidValue) {
        // A byte order mark is no part of a text; bytes that begin like one stay as they are.
        let lines = contents.droppingByteOrderMark().split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        let characters = Array(lines.map { $0.trimmingWhitespace() }.joined())
        looksHexadecimal = characters.allSatisfy { $0.hexDigitValue != nil }
        let text = String(decoding: characters, as: UTF8.self)
        if ServiceSignature.hasServicePrefix(text) {
            signature = try ServiceSignature(text, decoding: Base64.decodeAnyAlphabet)
        } else if !characters.isEmpty, let read = try? ServiceSignature(text, decoding: Base64.decodeAnyAlphabet) {
            signature = read
        } else {
            signature = ServiceSignature(bytes: contents, version: nil)
        }
    }

    /// Whether a signature by some key could look like this. What can't is not a signature that is not valid, but the
    /// wrong file, or a form that is not known.
    func canBeSignature(by algorithm: SignatureAlgorithm) -> Bool {
        !looksHexadecimal && algorithm.canBeSignature(signature.bytes)
    }
}
