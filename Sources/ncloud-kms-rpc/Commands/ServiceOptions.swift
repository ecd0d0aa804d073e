import ArgumentParser
import KMSService

/// The flags of the program: what `Setting.all` lists, in the form that ArgumentParser wants.
struct ServiceOptions: ParsableArguments {
    @Option(.endpoint) var endpoint: String?
    @Option(.zone) var zone: String?
    @Option(.profile) var profile: String?
    @Option(.configFile) var configFile: String?
    @Option(.tokenFile) var tokenFile: String?
    @Option(.caFile) var caFile: String?
    @Option(.proxy) var proxy: String?
    @Option(.cacheTTL) var cacheTTL: String?
    @Option(.staleIfError) var staleIfError: String?
    @Option(.ratePerKey) var ratePerKey: String?
    @Option(.rateTotal) var rateTotal: String?
    @Option(.maxConnections) var maxConnections: String?
    @Option(.maxAttempts) var maxAttempts: String?
    @Option(.framing) var framing: String?
    @Option(.maxMessageBytes) var maxMessageBytes: String?
    @Option(.maxBatch) var maxBatch: String?
    @Option(.maxInFlight) var maxInFlight: String?
    @Option(.parentPID) var parentPID: String?
    @Flag(.stdio) var stdio = false
    @Flag(.allowDebug) var allowDebug = false
    @Flag(.noClockCorrection) var noClockCorrection = false
    @Option(.logLevel) var logLevel: String?
    @Option(.logFormat) var logFormat: String?

    /// The flags that were given.
    var flags: [Setting.Name: String] {
        let texts: [Setting.Name: String?] = [
            .endpoint: endpoint,
            .zone: zone,
            .profile: profile,
            .configFile: configFile,
            .tokenFile: tokenFile,
            .caFile: caFile,
            .proxy: proxy,
            .cacheTTL: cacheTTL,
            .staleIfError: staleIfError,
            .ratePerKey: ratePerKey,
            .rateTotal: rateTotal,
            .maxConnections: maxConnections,
            .maxAttempts: maxAttempts,
            .framing: framing,
            .maxMessageBytes: maxMessageBytes,
            .maxBatch: maxBatch,
            .maxInFlight: maxInFlight,
            .parentPID: parentPID,
            .stdio: stdio ? "" : nil,
            .allowDebug: allowDebug ? "" : nil,
            .noClockCorrection: noClockCorrection ? "" : nil,
            .logLevel: logLevel,
            .logFormat: logFormat,
        ]
        return texts.compactMapValues { $0 }
    }

    /// These flags, given before a subcommand, and those behind it, which win.
    func flags(overriddenBy others: ServiceOptions) -> [Setting.Name: String] {
        flags.merging(others.flags) { _, other in other }
    }
}

extension Option where Value == String? {
    fileprivate init(_ name: Setting.Name) {
        self.init(name: name.specification, help: name.argumentHelp)
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
