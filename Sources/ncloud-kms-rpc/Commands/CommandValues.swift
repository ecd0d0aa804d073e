import ArgumentParser
import KMSService
import NCloudKMS
import PublicKeys

/// `--key-version`, for the commands that ask for keys.
struct KeyVersionOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The version of the key, 1 to 100 (default: the latest).", valueName: "number"),
        transform: { try KeyReference.version($0) })
    var keyVersion: KeyVersion?
}

extension KeyOutput: ExpressibleByArgument {}
extension SignatureAlgorithm: ExpressibleByArgument {}
extension SignatureEncoding: ExpressibleByArgument {}

/// How `doctor` writes its findings.
enum FindingFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json
}
