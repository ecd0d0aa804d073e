import ArgumentParser
import KMSService
import NCloudKMS
import Platform
import PublicKeys

/// The signature of one file, verified here.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify the signature of a file with a public key.",
        discussion: """
            The signature file holds the signature as it is, or as text: Base64 of the standard alphabet or the one for \
            URLs, or the service's form ncpkms:vN:BASE64, whose N is the version of the key. The service signs with \
            PS256 (RSA keys) and ES256 (EC keys).

              ncloud-kms-rpc verify KEYTAG --algorithm PS256 --signature app.sig app.tar

            \(ExitStatus.helpText(of: .verify))
            """)

    /// Signatures by the largest keys have 2 KiB, in Base64 not 3.
    private static let maximumSignatureBytes = 64 << 10

    @Argument(
        help: ArgumentHelp("The key's tag; with @N its version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var key: KeyReference

    @OptionGroup var version: KeyVersionOption

    @Option(help: "How it was signed, as RFC 7518 names it.")
    var algorithm: SignatureAlgorithm

    @Option(
        help: ArgumentHelp("The file that holds the signature; - is stdin.", valueName: "file"), completion: .file())
    var signature: String

    @Option(help: "How the two numbers of an ECDSA signature are written: in ASN.1 DER, or one after the other.")
    var encoding = SignatureEncoding.der

    @Argument(help: "The file that was signed; - is stdin.", completion: .file())
    var file: String

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            if file == "-", signature == "-" {
                throw .usage("only one of the signature and the signed file can be stdin")
            }
            let query = try key.query(version: version.keyVersion)
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            let verifier = SignatureVerifier(try OneShot(flags: flags, needsStdout: false).client)
            let signatureFile = try signatureContents()
            let isValid = try verdict(on: digest(), signatureFile, query, by: verifier)
            do throws(CommandFailure) {
                try AnswerTarget.stdout.write(Array((isValid ? "valid\n" : "not valid\n").utf8))
            } catch  where error.isClosedReader {
                // Who closes stdout wants the status alone.
            }
            Exit.now(isValid ? .success : .negative)
        } catch {
            Exit.now(error)
        }
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
        on digest: [UInt8], _ contents: [UInt8], _ key: PublicKeyQuery, by verifier: SignatureVerifier
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
