import ArgumentParser
import KMSCommands
import NCloudKMS
import KMSPlatform
import KMSPublicKeys

/// The settings of one scope, as options of a command. ArgumentParser sees an `Option` or `Flag` for each setting: it
/// finds them in the value's mirror, and passes the parsed values under their labels to `init(from:)`.
protocol SettingOptions: ParsableArguments, CustomReflectable {
    static var scope: Setting.Scope { get }
    /// The flags on the command line.
    var flags: [Setting.Name: String] { get }
    init(flags: [Setting.Name: String])
}

extension SettingOptions {
    private static var settings: [Setting] { Setting.all.filter { $0.scope == scope } }

    init() { self.init(flags: [:]) }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: SettingKey.self)
        var flags: [Setting.Name: String] = [:]
        for setting in Self.settings {
            let key = SettingKey(stringValue: setting.name.rawValue)
            if setting.valueName == nil {
                if try container.decode(Flag<Bool>.self, forKey: key).wrappedValue { flags[setting.name] = "" }
            } else {
                flags[setting.name] = try container.decode(Option<String?>.self, forKey: key).wrappedValue
            }
        }
        self.init(flags: flags)
    }

    var customMirror: Mirror {
        Mirror(self, children: Self.settings.map { (label: $0.name.rawValue, value: $0.option) })
    }
}

/// The settings for every call.
struct ClientOptions: SettingOptions {
    static let scope = Setting.Scope.calls
    let flags: [Setting.Name: String]
}

/// The settings for several calls at the same time.
struct LoadOptions: SettingOptions {
    static let scope = Setting.Scope.load
    let flags: [Setting.Name: String]
}

/// The settings for a serving process: its cache and its protocol. The other commands accept them, too, so that all
/// commands can be given the same options, but don't list them.
struct ServingOptions: SettingOptions {
    static let scope = Setting.Scope.serving
    let flags: [Setting.Name: String]
}

/// All settings, for `serve` and for the program without a subcommand.
struct ServiceOptions: ParsableArguments {
    @OptionGroup var client: ClientOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var serving: ServingOptions

    var groups: [any SettingOptions] { [client, load, serving] }

    var flags: [Setting.Name: String] { flags(overriddenBy: []) }

    /// These flags, given before a subcommand, overridden by those after it.
    func flags(overriddenBy others: [any SettingOptions]) -> [Setting.Name: String] {
        (groups + others).reduce(into: [:]) { flags, group in
            flags.merge(group.flags) { _, other in other }
        }
    }
}

private struct SettingKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Setting {
    /// An `Option<String?>`, or a `Flag<Bool>` for a setting without a value.
    fileprivate var option: any Decodable {
        let names = NameSpecification([name.rawValue, name.alias].compactMap { $0.map { .customLong($0) } })
        let environment = variables.first.map { "; environment: \($0)" } ?? ""
        let help = ArgumentHelp("\(help) (default: \(defaultText)\(environment)).", valueName: valueName)
        guard valueName != nil else { return Flag(wrappedValue: false, name: names, help: help) }
        let completion: CompletionKind =
            switch values {
            case .words(let words): .list(words)
            case .path: .file()
            case .any: .default
            }
        return Option<String?>(name: names, help: help, completion: completion)
    }
}

// MARK: Options of single commands

/// `--key-version`, for the commands that fetch keys.
struct KeyVersionOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The version of the key, 1 to 100 (default: the latest).", valueName: "number"),
        transform: { try KeyReference.version($0.trimmingASCIIWhitespace()) })
    var keyVersion: KeyVersion?
}

// Words are parsed as in settings: ignoring case and white space around them.

extension KeyOutput: ExpressibleByArgument {
    package init?(argument: String) { self.init(word: argument) }
}

extension SignatureAlgorithm: ExpressibleByArgument {
    public init?(argument: String) { self.init(word: argument) }
}

extension SignatureEncoding: ExpressibleByArgument {
    public init?(argument: String) { self.init(word: argument) }
}

/// The formats of `doctor`'s findings.
enum FindingFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json

    init?(argument: String) { self.init(word: argument) }
}
