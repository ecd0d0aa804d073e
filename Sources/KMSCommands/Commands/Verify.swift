import KMSJSON
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// `verify`: verifies the signature of one file, locally.
package struct FileVerification: Sendable {
    /// The largest keys make signatures of 2 KiB, or just under 3 KiB in Base64.
    private static let maximumSignatureBytes = 64 << 10

    private let key: PublicKeyQuery
    private let file: String
    private let signature: String
    private let algorithm: SignatureAlgorithm
    private let encoding: SignatureEncoding

    /// - Parameters:
    ///   - version: the key's version, if the reference has none.
    ///   - file: the path of the signed file; `-` means stdin.
    ///   - signature: the path of the signature file; `-` means stdin.
    /// - Throws: `CommandFailure` if the arguments contradict each other.
    package init(
        of file: String, signature: String, by key: KeyReference, version: KeyVersion?, _ algorithm: SignatureAlgorithm,
        _ encoding: SignatureEncoding
    ) throws(CommandFailure) {
        if file == "-", signature == "-" {
            throw .usage("the signature and the signed file can't both be stdin")
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
            // A reader that has closed stdout only wants the status.
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
            // As for every other file that a flag names.
            throw CommandFailure(ConfigurationError("--signature \(signature.excerpt): \(error)", isUsage: false))
        }
    }

    /// The digest of the file, which may be too large for memory.
    private func digest() throws(CommandFailure) -> [UInt8] {
        guard var digest = StreamedDigest(algorithm.hash) else {
            throw .internalFault("OpenSSL could not start a digest")
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
                    keyTag: key.keyTag, version: key.version, signature: signatureFile.signature,
                    rule: .algorithm(algorithm, encoding: encoding, of: .digest(digest)))
            ).get()
        } catch {
            throw CommandFailure(of: error).withoutVerdict
        }
        guard verdict.isValid || signatureFile.canBeSignature(by: algorithm) else {
            throw .undecided(
                "--signature \(signature.excerpt): not a signature by \(algorithm.rawValue), neither binary nor as Base64"
            )
        }
        return verdict.isValid
    }
}

/// The contents of a signature file.
///
/// They are text (Base64, or the service's form) if they can be parsed as that without line breaks, which `openssl
/// base64` inserts; otherwise they are the signature itself. No real signature looks like Base64: each of its 64 or
/// more bytes would have to be one of 64 characters, with a chance of one in four each.
struct SignatureFile: Sendable {
    let signature: ServiceSignature
    /// Whether it has only hexadecimal digits. A signature in Base64 has other characters, too.
    private let looksHexadecimal: Bool

    /// - Throws: `InvalidValue` for a file that begins like the service's form but is malformed.
    init(_ contents: [UInt8]) throws(InvalidValue) {
        // A byte order mark is not part of a text; binary data that begins with the same bytes stays unchanged.
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

    /// Whether a signature by some key could look like this. If not, the file does not contain an invalid signature: it
    /// is the wrong file, or has an unknown form.
    func canBeSignature(by algorithm: SignatureAlgorithm) -> Bool {
        !looksHexadecimal && algorithm.canBeSignature(signature.bytes)
    }
}
