import ArgumentParser
import KMSCommands
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

struct GetPublicKeyCommand: OneShotCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-public-key", abstract: "Print public keys.",
        discussion: """
            Prints all keys, in the order of the tags, or nothing. They are requested at the same time. The first error is \
            one line on stderr that begins with its type.

            \(ExitStatus.helpText(of: .getPublicKey))
            """)

    @Argument(
        help: ArgumentHelp("A key tag; @N selects version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var keys: [KeyReference]

    @OptionGroup var version: KeyVersionOption

    @Option(
        help: """
            pem: as the service sent it; der: binary; jwk; jwks: a set of signature keys; ssh: a line for \
            authorized_keys; pkcs1: RSA keys only; json: the result of getPublicKey, or an array of results.
            """)
    var format = KeyOutput.pem

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Write to this file, all or nothing; - means stdout.", valueName: "file"),
        completion: .file())
    var output: String?

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    var reportsErrorsAsJSON: Bool { format == .json }

    func run(_ flags: [Setting.Name: String]) throws(CommandFailure) -> ExitStatus {
        let printer = try KeyPrinter(keys, version: version.keyVersion, format: format, output: output)
        try printer.run(OneShot.client(flags, needsStdout: printer.target == .stdout))
        return .success
    }
}

/// `verify`: verifies the signature of one file, locally.
struct VerifyCommand: OneShotCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify the signature of a file with a public key.",
        discussion: """
            The signature file contains the signature in binary, or as text: standard or URL-safe Base64, or the \
            service's form ncpkms:vN:BASE64, where N is the version of the key. The service signs with PS256 (RSA \
            keys) and ES256 (EC keys).

              ncloud-kms-rpc verify KEYTAG --algorithm PS256 --signature app.sig app.tar

            \(ExitStatus.helpText(of: .verify))
            """)

    @Argument(
        help: ArgumentHelp("The key tag; @N selects version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var key: KeyReference

    @OptionGroup var version: KeyVersionOption

    @Option(help: "The signature algorithm, by its name in RFC 7518.")
    var algorithm: SignatureAlgorithm

    @Option(
        help: ArgumentHelp("The signature file; - means stdin.", valueName: "file"), completion: .file())
    var signature: String

    @Option(help: "The form of an ECDSA signature: its two numbers in ASN.1 DER, or concatenated.")
    var encoding = SignatureEncoding.der

    @Argument(help: "The signed file; - means stdin.", completion: .file())
    var file: String

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    func run(_ flags: [Setting.Name: String]) throws(CommandFailure) -> ExitStatus {
        let verification = try FileVerification(
            of: file, signature: signature, by: key, version: version.keyVersion, algorithm, encoding)
        return try verification.run(OneShot.client(flags, needsStdout: false)) ? .success : .negative
    }
}

/// `doctor`: checks everything that a call needs, one line for each finding.
struct DoctorCommand: OneShotCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check everything that a call needs.",
        discussion: """
            Checks the configuration (one line for each invalid setting), the libraries, the credentials (never showing \
            a secret), the certificate authorities, the service's name, the connection to it, and its clock; with a key \
            tag it also makes a real call. With --shared it also checks the engine: the connection and the login, the \
            rights of its user, its clock and its memory policy. Each line begins with ok, warn, FAIL or skip.

            With --format json, each line is an object with check, verdict (ok, warn, fail or skip), text, and error \
            if a check failed with one.

            \(ExitStatus.helpText(of: .doctor))
            """)

    @Argument(
        help: ArgumentHelp("The key tag for a real call; @N selects version N.", valueName: "key-tag[@version]"),
        transform: { try KeyReference($0) })
    var key: KeyReference?

    @Option(help: "The form of the findings: text for people, json for programs.")
    var format = FindingFormat.text

    @ParentCommand var program: Program
    @OptionGroup var client: ClientOptions
    @OptionGroup(visibility: .hidden) var load: LoadOptions
    @OptionGroup(visibility: .hidden) var serving: ServingOptions

    var reportsErrorsAsJSON: Bool { format == .json }

    func run(_ flags: [Setting.Name: String]) throws(CommandFailure) -> ExitStatus {
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
                Exit.now(error, asJSON: reportsErrorsAsJSON)
            }
        }
        return doctor.examine(configuration, logger: OneShot.logger) ? .success : .negative
    }
}

/// `terraform`: a program for Terraform's `external` data source.
struct TerraformCommand: OneShotCommand {
    static let configuration = CommandConfiguration(
        commandName: "terraform", abstract: "Answer a query from Terraform's external data source.",
        usage: "ncloud-kms-rpc terraform [<options>]",
        discussion: """
            Reads one JSON object of strings from stdin, {"key_tag": "…", "key_version": "…"}; the version is optional. \
            Prints one object of strings: key_tag, key_version if it was given, public_key (the PEM as the service sent \
            it), spki, spki_sha256, key_type, key_size, curve, jwk, ssh and ssh_fingerprint; members that the key does \
            not have are left out. An error is one line on stderr.

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

    func run(_ flags: [Setting.Name: String]) throws(CommandFailure) -> ExitStatus {
        try Terraform.run(OneShot.client(flags, needsStdout: true))
        return .success
    }
}
