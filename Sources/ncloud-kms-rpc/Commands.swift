import ArgumentParser
import KMSCommands
import Logging
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

// The commands that ask once and end, as ArgumentParser reads them. What they do is in `KMSCommands`.

/// Some keys, alone on stdout or in a file.
struct GetPublicKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-public-key", abstract: "Print public keys.",
        discussion: """
            The keys alone are on stdout, in the order of the tags, or nothing is: they are asked for at once, and the \
            first that fails is the error, one line on stderr that begins with its type.

            \(ExitStatus.helpText(of: .getPublicKey))
            """)

    @Argument(
        help: ArgumentHelp("The tag of a key; with @N its version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var keys: [KeyReference]

    @OptionGroup var version: KeyVersionOption

    @Option(
        help: """
            pem, as the service sent it; der, binary; jwk; jwks, a set of keys that verify signatures; ssh, a line of \
            authorized_keys; pkcs1, for RSA alone; json, the result of getPublicKey, or an array of them.
            """)
    var format = KeyOutput.pem

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Write to this file, which has the whole answer or stays as it was; - is stdout.", valueName: "file"),
        completion: .file())
    var output: String?

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            let printer = try KeyPrinter(keys, version: version.keyVersion, format: format, output: output)
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            try printer.run(OneShot.client(flags, needsStdout: printer.target == .stdout))
            Exit.now(.success)
        } catch {
            Exit.now(error, asJSON: format == .json)
        }
    }
}

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
            let verification = try FileVerification(
                of: file, signature: signature, by: key, version: version.keyVersion, algorithm, encoding)
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            let isValid = try verification.run(OneShot.client(flags, needsStdout: false))
            Exit.now(isValid ? .success : .negative)
        } catch {
            Exit.now(error)
        }
    }
}

/// What is in the way of a call, one line for each thing that is looked at.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check everything that a call needs.",
        discussion: """
            Looks at the configuration (every wrong setting is a line), the libraries, the credentials (never showing a \
            secret), the certificate authorities, the name of the service, the connection to it, and its clock; with a \
            key's tag it makes a real call, too. One line for each: ok, warn, FAIL or skip.

            With --format json each line is an object with check, verdict (ok, warn, fail or skip), text, and error \
            where a check failed with one.

            \(ExitStatus.helpText(of: .doctor))
            """)

    @Argument(
        help: ArgumentHelp("The tag of a key to call for; with @N its version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var key: KeyReference?

    @Option(help: "How the findings are written: text for people, json for programs.")
    var format = FindingFormat.text

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            try OneShot.prepare(flags, needsStdout: true)
            let configuration = OneShot.configuration(flags).mapError { error in
                let all = ProgramConfiguration.mistakes(flags: flags, environment: .process)
                return Doctor.Mistakes(all.isEmpty ? [error] : all)
            }
            var doctor = Doctor(key: key) { finding in
                do throws(CommandFailure) {
                    let line = format == .json ? finding.json : Array(finding.line.utf8)
                    try AnswerTarget.stdout.write(line + [UInt8(ascii: "\n")])
                } catch {
                    Exit.now(error, asJSON: format == .json)
                }
            }
            Exit.now(doctor.examine(configuration, logger: OneShot.logger) ? .success : .negative)
        } catch {
            Exit.now(error, asJSON: format == .json)
        }
    }
}

/// A program for Terraform's `external` data source.
struct TerraformCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terraform", abstract: "Answer a query of Terraform's external data source.",
        usage: "ncloud-kms-rpc terraform [<options>]",
        discussion: """
            Reads one JSON object of strings on stdin, {"key_tag": "…", "key_version": "…"}, the version being \
            optional. Prints one of strings: key_tag, key_version if it was given, public_key (the PEM as the service \
            sent it), spki, spki_sha256, key_type, key_size, curve, jwk, ssh and ssh_fingerprint; what a key does not \
            have is left out. An error is one line on stderr.

              data "external" "key" {
                program = ["ncloud-kms-rpc", "terraform"]
                query   = { key_tag = "YOUR-KEY-TAG" }
              }

            \(ExitStatus.helpText(of: .terraform))
            """)

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run() {
        do throws(CommandFailure) {
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            try Terraform.run(OneShot.client(flags, needsStdout: true))
            Exit.now(.success)
        } catch {
            Exit.now(error)
        }
    }
}

// MARK: What they share

/// A process for a command that asks once and ends: standard streams that are there, a process that keeps its secrets to
/// itself, the configuration and the client.
enum OneShot {
    /// - Parameter needsStdout: a stdout that is closed is an error.
    static func client(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) -> KMSClient {
        try prepare(flags, needsStdout: needsStdout)
        do throws(ConfigurationError) {
            let configuration = try configuration(flags).get()
            return try configuration.makeClient(logger: logger(configuration))
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Gets the process ready, before it reads anything.
    static func prepare(_ flags: [Setting.Name: String], needsStdout: Bool) throws(CommandFailure) {
        let hasStdout: Bool
        do throws(PlatformError) {
            hasStdout = try !StandardStreams.fillGaps().contains(STDOUT_FILENO)
            if flags[.allowDebug] == nil { try ProcessHardening.forbidInspection() }
        } catch {
            throw CommandFailure(ConfigurationError("the system refused: \(error)", isUsage: false))
        }
        if needsStdout, !hasStdout { throw .output("stdout", PlatformError("write", errorNumber: EBADF)) }
    }

    static func configuration(_ flags: [Setting.Name: String]) -> Result<ProgramConfiguration, ConfigurationError> {
        Result { () throws(ConfigurationError) in
            try ProgramConfiguration(flags: quiet(flags, .process), environment: .process)
        }
    }

    static func logger(_ configuration: ProgramConfiguration) -> Logger {
        configuration.logger(writer: LogWriter(STDERR_FILENO))
    }

    /// An error is one line, whatever was tried before it: warnings are for those who ask for them.
    private static func quiet(
        _ flags: [Setting.Name: String], _ environment: EnvironmentVariables
    ) -> [Setting.Name: String] {
        let isSet = Setting[.logLevel].variables.contains { environment[$0] != nil }
        return isSet ? flags : flags.merging([.logLevel: Logger.Level.error.rawValue]) { given, _ in given }
    }
}
