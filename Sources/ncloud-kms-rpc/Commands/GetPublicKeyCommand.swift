import ArgumentParser
import KMSService
import NCloudKMS
import Platform

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
            let target = try AnswerTarget(path: output)
            if format.isBinary, target.isTerminal {
                throw .usage(
                    "--format \(format.rawValue) is binary, which a terminal can't show: use -o FILE or a pipe")
            }
            var queries: [PublicKeyQuery] = []
            for key in keys { queries.append(try key.query(version: version.keyVersion)) }
            let flags = program.options.flags(overriddenBy: [client, load, serving])
            let client = try OneShot(flags: flags, needsStdout: target == .stdout).client
            try target.write(format.bytes(of: queries, from: client))
            Exit.now(.success)
        } catch {
            Exit.now(error, asJSON: format == .json)
        }
    }
}

extension KeyOutput {
    /// All keys, or the first error.
    fileprivate func bytes(of queries: [PublicKeyQuery], from client: KMSClient) throws(CommandFailure) -> [UInt8] {
        let answers: [PublicKeyAnswer]
        do {
            answers = try client.waitForKeys(queries).map { try $0.get() }
            return try bytes(of: answers)
        } catch {
            throw CommandFailure(of: error)
        }
    }
}
