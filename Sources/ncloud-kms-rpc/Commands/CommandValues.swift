import ArgumentParser
import KMSService
import NCloudKMS
import Platform
import PublicKeys

/// `--key-version`, for the commands that ask for keys.
struct KeyVersionOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The version of the key, 1 to 100 (default: the latest).", valueName: "number"),
        transform: { try KeyReference.version($0.trimmingASCIIWhitespace()) })
    var keyVersion: KeyVersion?
}

// Words are read as those of the settings are.

extension KeyOutput: ExpressibleByArgument {
    package init?(argument: String) { self.init(word: argument) }
}

extension SignatureAlgorithm: ExpressibleByArgument {
    public init?(argument: String) { self.init(word: argument) }
}

extension SignatureEncoding: ExpressibleByArgument {
    public init?(argument: String) { self.init(word: argument) }
}

/// How `doctor` writes its findings.
enum FindingFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json

    init?(argument: String) { self.init(word: argument) }
}
