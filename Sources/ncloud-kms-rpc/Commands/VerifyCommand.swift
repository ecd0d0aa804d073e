import ArgumentParser
import JSONRPC
import KMSService
import NCloudKMS
import Platform
import PublicKeys

/// The signature of one file, verified here.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify the signature of a file with a public key.",
        discussion: """
            The signature file holds the signature as it is, or as text: Base64, or the service's form ncpkms:vN:BASE64, \
            whose N is the version of the key. Exit status: 0 valid, 1 not valid, whether \
            or not stdout takes the word; 2 when that could not be told; 64 for \
            a wrong command line, 78 for a wrong configuration or a signature file that can't be read.
            """)

    /// Signatures by the largest keys have 2 KiB, in Base64 not 3.
    private static let maximumSignatureBytes = 64 << 10

    private enum Status {
        static let notValid: Int32 = 1
        static let unknown: Int32 = 2
    }

    @OptionGroup var key: KeyArguments

    @Option(help: "How it was signed, as RFC 7518 names it.")
    var algorithm: SignatureAlgorithm

    @Option(help: ArgumentHelp("The file that holds the signature.", valueName: "file"), completion: .file())
    var signature: String

    @Option(help: "How the two numbers of an ECDSA signature are written: in ASN.1 DER, or one after the other.")
    var encoding = SignatureEncoding.der

    @Argument(help: "The file that was signed; - is stdin.", completion: .file())
    var file: String

    @ParentCommand var program: Program
    @OptionGroup var options: ServiceOptions

    func run() {
        let flags = program.options.flags(overriddenBy: options)
        let verifier = SignatureVerifier(OneShot(flags: flags, withoutOutput: nil).client)
        let signatureFile: [UInt8]
        do {
            signatureFile = try FileContents.of(signature, maximumBytes: Self.maximumSignatureBytes)
        } catch {
            // The same as for every other file that a flag names.
            Exit.now(ConfigurationError("--signature \(signature): \(error)", isUsage: false))
        }
        let digest = self.digest()
        do throws(RPCError) {
            let isValid = try verdict(by: verifier, on: digest, signatureFile).isValid
            let status = isValid ? EXIT_SUCCESS : Status.notValid
            Exit.now(
                writing: Array((isValid ? "valid\n" : "not valid\n").utf8), status: status, failureStatus: status)
        } catch {
            Exit.now(error, status: Status.unknown)
        }
    }

    /// Of the file, which may be larger than the memory.
    private func digest() -> [UInt8] {
        guard var digest = StreamedDigest(algorithm.hash) else {
            Exit.now("OpenSSL could not begin a digest", status: Status.unknown)
        }
        do {
            if file == "-" {
                try FileContents.read(descriptor: STDIN_FILENO) { digest.update($0) }
            } else {
                try FileContents.read(file) { digest.update($0) }
            }
        } catch {
            Exit.now("\(file): \(error)", status: Status.unknown)
        }
        return digest.finish()
    }

    private func verdict(
        by verifier: SignatureVerifier, on digest: [UInt8], _ signatureFile: [UInt8]
    ) throws(RPCError) -> SignatureVerdict {
        do {
            return try verifier.waitForVerdict(
                SignatureQuery(
                    keyTag: key.keyTag, version: key.keyVersion, message: .digest(digest),
                    signature: ServiceSignature(file: signatureFile), algorithm: algorithm, encoding: encoding))
        } catch let error as SignatureFailure {
            throw RPCError(error)
        } catch let error as InvalidValue {
            throw RPCError(error)
        } catch {
            throw .internalError("\(error)")
        }
    }
}
