import NCloudKMS
import KMSPlatform

/// Looks up settings in flags and environment variables, and parses their values; every error names its flag or
/// variable. `ClientSettingReader` reads the client's settings.
struct SettingReader {
    private static let userAgent = "ncloud-kms-rpc/\(ProgramVersion.text)"

    /// The flags on the command line, by name; a flag without a value has "".
    let flags: [Setting.Name: String]
    let environment: EnvironmentVariables

    private var client: ClientSettingReader {
        ClientSettingReader(
            environment: environment, explicit: { flag(Setting.Name($0)) }, name: { Setting.Name($0).flag })
    }

    func zone() throws(ConfigurationError) -> Zone {
        try reading { () throws(SettingError) in try client.zone() }
    }

    /// The configuration of the client.
    func clientConfiguration() throws(ConfigurationError) -> KMSClientConfiguration {
        try reading { () throws(SettingError) in
            try client.configuration(correctsClock: !isSet(.noClockCorrection), userAgent: Self.userAgent)
        }
    }

    func isSet(_ name: Setting.Name) -> Bool { flags[name] != nil }

    func integer(_ name: Setting.Name, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        try required(name, optionalInteger(name, in: range))
    }

    func optionalInteger(_ name: Setting.Name, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        try reading { () throws(SettingError) in
            try text(name).map { text throws(SettingError) in try text.notEmpty().integer(in: range) }
        }
    }

    /// One of the raw values of an enumeration, ignoring case.
    ///
    /// - Parameter synonyms: other words for some of the values.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: Setting.Name, synonyms: [String: Choice] = [:]
    ) throws(ConfigurationError) -> Choice {
        try required(name, optionalChoice(name, synonyms: synonyms))
    }

    func optionalChoice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: Setting.Name, synonyms: [String: Choice] = [:]
    ) throws(ConfigurationError) -> Choice? {
        try reading { () throws(SettingError) in
            try text(name).map { text throws(SettingError) in try text.notEmpty().choice(synonyms: synonyms) }
        }
    }

    // MARK: Texts

    private func flag(_ name: Setting.Name) -> SettingText? {
        flags[name].map { SettingText($0, name: name.flag, isExplicit: true) }
    }

    /// Flags take precedence over the environment, which takes precedence over the default.
    private func text(_ name: Setting.Name) -> SettingText? {
        if let flag = flag(name) { return flag }
        let setting = Setting[name]
        if let variable = environment.first(of: setting.variables) {
            return SettingText(variable.value, name: variable.name, isExplicit: false)
        }
        guard case .text(let text) = setting.defaultValue else { return nil }
        return SettingText(text, name: name.flag, isExplicit: false)
    }

    private func required<Value>(_ name: Setting.Name, _ value: Value?) throws(ConfigurationError) -> Value {
        guard let value else { throw ConfigurationError("\(name.flag) needs a value", isUsage: true) }
        return value
    }

    private func reading<Value>(_ read: () throws(SettingError) -> Value) throws(ConfigurationError) -> Value {
        do {
            return try read()
        } catch {
            throw ConfigurationError("\(error.invalid)", isUsage: error.isMisuse)
        }
    }
}

/// Why the program can't start.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// One line that says what to change.
    package let message: String
    /// Whether the error is in the command line, as opposed to a file or the environment.
    package let isUsage: Bool

    package init(_ message: String, isUsage: Bool) {
        self.message = message
        self.isUsage = isUsage
    }

    package var description: String { message }
}
