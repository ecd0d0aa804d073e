import ArgumentParser
import KMSService

/// Some of the settings, as options of a command. Together the groups have all of `Setting.all`, where they are
/// described.
protocol SettingOptions: ParsableArguments {
    /// The flags that were given.
    var flags: [Setting.Name: String] { get }
}

/// What acts on every call.
struct ClientOptions: SettingOptions {
    @Option(.endpoint) var endpoint: String?
    @Option(.zone) var zone: String?
    @Option(.profile) var profile: String?
    @Option(.configFile) var configFile: String?
    @Option(.tokenFile) var tokenFile: String?
    @Option(.caFile) var caFile: String?
    @Option(.proxy) var proxy: String?
    @Option(.maxAttempts) var maxAttempts: String?
    @Flag(.noClockCorrection) var noClockCorrection = false
    @Flag(.allowDebug) var allowDebug = false
    @Option(.logLevel) var logLevel: String?
    @Option(.logFormat) var logFormat: String?

    var flags: [Setting.Name: String] {
        let texts: [Setting.Name: String?] = [
            .endpoint: endpoint,
            .zone: zone,
            .profile: profile,
            .configFile: configFile,
            .tokenFile: tokenFile,
            .caFile: caFile,
            .proxy: proxy,
            .maxAttempts: maxAttempts,
            .noClockCorrection: noClockCorrection ? "" : nil,
            .allowDebug: allowDebug ? "" : nil,
            .logLevel: logLevel,
            .logFormat: logFormat,
        ]
        return texts.compactMapValues { $0 }
    }
}

/// What acts on several calls at once.
struct LoadOptions: SettingOptions {
    @Option(.ratePerKey) var ratePerKey: String?
    @Option(.rateTotal) var rateTotal: String?
    @Option(.maxConnections) var maxConnections: String?

    var flags: [Setting.Name: String] {
        let texts: [Setting.Name: String?] = [
            .ratePerKey: ratePerKey,
            .rateTotal: rateTotal,
            .maxConnections: maxConnections,
        ]
        return texts.compactMapValues { $0 }
    }
}

/// What acts on a process that serves: the cache and the wire. The commands that ask once take these, too, so that all
/// can be given the same options, but don't list them.
struct ServingOptions: SettingOptions {
    @Option(.cacheTTL) var cacheTTL: String?
    @Option(.staleIfError) var staleIfError: String?
    @Option(.framing) var framing: String?
    @Option(.maxMessageBytes) var maxMessageBytes: String?
    @Option(.maxBatch) var maxBatch: String?
    @Option(.maxInFlight) var maxInFlight: String?
    @Option(.parentPID) var parentPID: String?
    @Flag(.stdio) var stdio = false

    var flags: [Setting.Name: String] {
        let texts: [Setting.Name: String?] = [
            .cacheTTL: cacheTTL,
            .staleIfError: staleIfError,
            .framing: framing,
            .maxMessageBytes: maxMessageBytes,
            .maxBatch: maxBatch,
            .maxInFlight: maxInFlight,
            .parentPID: parentPID,
            .stdio: stdio ? "" : nil,
        ]
        return texts.compactMapValues { $0 }
    }
}

/// All settings, for the program without a subcommand and for `serve`.
struct ServiceOptions: ParsableArguments {
    @OptionGroup var client: ClientOptions
    @OptionGroup var load: LoadOptions
    @OptionGroup var serving: ServingOptions

    var groups: [any SettingOptions] { [client, load, serving] }

    var flags: [Setting.Name: String] { flags(overriddenBy: []) }

    /// These flags, given before a subcommand, and those after it, which win.
    func flags(overriddenBy others: [any SettingOptions]) -> [Setting.Name: String] {
        (groups + others).reduce(into: [:]) { flags, group in
            flags.merge(group.flags) { _, other in other }
        }
    }
}

extension Option where Value == String? {
    fileprivate init(_ name: Setting.Name) {
        let completion: CompletionKind =
            switch Setting[name].values {
            case .words(let words): .list(words)
            case .path: .file()
            case .any: .default
            }
        self.init(name: name.specification, help: name.argumentHelp, completion: completion)
    }
}

extension Flag where Value == Bool {
    fileprivate init(wrappedValue: Bool, _ name: Setting.Name) {
        self.init(wrappedValue: wrappedValue, name: name.specification, help: name.argumentHelp)
    }
}

extension Setting.Name {
    fileprivate var specification: NameSpecification {
        NameSpecification([rawValue, alias].compactMap { $0.map { .customLong($0) } })
    }

    fileprivate var argumentHelp: ArgumentHelp {
        let setting = Setting[self]
        let environment = setting.variables.first.map { "; environment: \($0)" } ?? ""
        return ArgumentHelp(
            "\(setting.help) (default: \(setting.defaultText)\(environment)).",
            valueName: setting.valueName)
    }
}
