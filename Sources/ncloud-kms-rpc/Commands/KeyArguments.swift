import ArgumentParser
import KMSService
import NCloudKMS
import PublicKeys

/// What names a key on the command line.
struct KeyArguments: ParsableArguments {
    @Argument(help: "The key's tag.", transform: { try KeyTag($0) })
    var keyTag: KeyTag

    @Option(
        help: ArgumentHelp("The version of the key, 1 to 100 (default: the latest).", valueName: "number"),
        transform: { text in
            guard let number = Int(text) else { throw InvalidValue("keyVersion", "must be a whole number") }
            return try KeyVersion(number)
        })
    var keyVersion: KeyVersion?
}

extension KeyOutput: ExpressibleByArgument {}
extension SignatureAlgorithm: ExpressibleByArgument {}
extension SignatureEncoding: ExpressibleByArgument {}
