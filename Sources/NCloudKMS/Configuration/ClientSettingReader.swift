import KMSPlatform

/// Reads the settings of a client: explicit texts take precedence over the environment, which takes precedence over the
/// defaults. The program and `KMSClientConfiguration(environment:)` both use it, so both apply the same rules.
package struct ClientSettingReader {
    private let environment: EnvironmentVariables
    private let explicit: (ClientSetting) -> SettingText?
    private let name: (ClientSetting) -> String

    /// - Parameters:
    ///   - explicit: the texts that were given specifically for this client, such as flags.
    ///   - name: what messages call a setting that was not given.
    package init(
        environment: EnvironmentVariables, explicit: @escaping (ClientSetting) -> SettingText? = { _ in nil },
        name: @escaping (ClientSetting) -> String = { $0.variables[0] }
    ) {
        self.name = name
        self.environment = environment
        self.explicit = explicit
    }

    package func zone() throws(SettingError) -> Zone {
        guard let text = try text(.zone) else { return .global }
        return try text.value { name throws(InvalidValue) in try Zone(named: name.lowercased()) }
    }

    /// - Parameter authentication: nil to look the credentials up.
    /// - Throws: `SettingError` for the first mistake.
    package func configuration(
        authentication: KMSClientConfiguration.Authentication? = nil, correctsClock: Bool = true, userAgent: String
    ) throws(SettingError) -> KMSClientConfiguration {
        typealias Client = KMSClientConfiguration
        let zone = try zone()
        let endpoint = try text(.endpoint).map { text throws(SettingError) in
            try text.value { url throws(InvalidValue) in try Endpoint(url) }
        }
        let timeToLive = try seconds(.cacheTimeToLive, in: Client.cacheTimeToLiveRange)
        let staleIfError = try seconds(.staleIfError, in: Client.staleIfErrorRange)
        let ratePerKey = try integer(.ratePerKey, in: Client.rateRange)
        let totalRate = try integer(.totalRate, in: Client.rateRange)
        let connections = try integer(.maximumConnections, in: Client.connectionsRange)
        let attempts = try integer(.maximumAttempts, in: Client.attemptsRange)
        let lookup = try credentialLookup()
        let caFile = try certificateFile(.caFile)
        let proxy = try proxy()
        let shared = try shared()
        do {
            return try Client(
                endpoint: endpoint ?? zone.endpoint, authentication: authentication ?? .lookup(lookup),
                cacheTimeToLive: timeToLive ?? Client.defaultCacheTimeToLive,
                staleIfError: staleIfError ?? Client.defaultStaleIfError,
                ratePerKey: ratePerKey ?? Client.defaultRatePerKey, totalRate: totalRate ?? Client.defaultTotalRate,
                maximumConnections: connections ?? Client.defaultMaximumConnections,
                maximumAttempts: attempts ?? Client.defaultMaximumAttempts, caFile: caFile, proxy: proxy,
                shared: shared, correctsClock: correctsClock, userAgent: userAgent)
        } catch {
            throw named(error)
        }
    }

    // MARK: Texts

    /// The text of a setting, if there is one. Only an explicit one can be empty.
    private func given(_ setting: ClientSetting) -> SettingText? {
        explicit(setting)
            ?? environment.first(of: setting.variables).map { SettingText($0.value, name: $0.name, isExplicit: false) }
    }

    private func text(_ setting: ClientSetting) throws(SettingError) -> SettingText? {
        try given(setting).map { text throws(SettingError) in try text.notEmpty() }
    }

    private func integer(_ setting: ClientSetting, in range: ClosedRange<Int>) throws(SettingError) -> Int? {
        try text(setting).map { text throws(SettingError) in try text.integer(in: range) }
    }

    private func seconds(
        _ setting: ClientSetting, in range: ClosedRange<Duration>
    ) throws(SettingError) -> Duration? {
        try integer(setting, in: Int(range.lowerBound.components.seconds)...Int(range.upperBound.components.seconds))
            .map { .seconds($0) }
    }

    /// An error of the value's type, with the name of the flag or variable.
    private func named(_ invalid: InvalidValue) -> SettingError {
        let name = ClientSetting(rawValue: invalid.name).flatMap { given($0)?.name } ?? invalid.name
        return SettingError(InvalidValue(name, invalid.problem), isMisuse: false)
    }

    // MARK: Files, and the proxy

    /// A place that is given explicitly must exist; one that a variable names may appear later.
    private func credentialLookup() throws(SettingError) -> CredentialLookup {
        for setting in [ClientSetting.profile, .configurationFile, .tokenFile] { _ = try text(setting) }
        let lookup = CredentialLookup(
            environment: environment, profile: explicit(.profile)?.text,
            configurationFile: explicit(.configurationFile)?.text, tokenFile: explicit(.tokenFile)?.text)
        do {
            try lookup.verifyNamedPlaces()
        } catch {
            throw named(error)
        }
        return lookup
    }

    /// A file that is given explicitly must be readable. One that a variable names may appear later, but a path that is not
    /// a file is always an error.
    private func certificateFile(_ setting: ClientSetting) throws(SettingError) -> CertificateFile? {
        guard let source = try text(setting) else { return nil }
        let file = CertificateFile(path: environment.expandingHome(source.text), name: source.name)
        do {
            _ = try RegularFile(opening: file.path)
        } catch {
            if case .system = error, !source.isExplicit { return file }
            throw SettingError(InvalidValue(source.name, "\(file.path.excerpt): \(error)"), isMisuse: false)
        }
        return file
    }

    private func proxy() throws(SettingError) -> ProxySettings {
        let exceptions = environment.first(of: ["NO_PROXY", "no_proxy"])
        func settings(_ proxy: Result<ProxyConfiguration, InvalidValue>) -> ProxySettings {
            ProxySettings(
                proxy, exceptions: ProxyExceptions(exceptions?.value ?? ""),
                exceptionsName: exceptions?.name ?? "NO_PROXY")
        }
        // An empty explicit text means no proxy, whatever the environment says.
        guard let source = given(.proxy), !source.text.isEmpty else { return .none }
        let own = ClientSetting.proxy.variables[0]
        let proxy: ProxyConfiguration
        do {
            proxy = try ProxyConfiguration(url: source.text, name: source.name)
        } catch {
            // A variable that other programs share fails only the calls that would use it.
            guard source.isExplicit || source.name == own else { return settings(.failure(error)) }
            throw source.error(error.problem)
        }
        if source.isExplicit, proxy.hasUserInfo {
            throw source.error("must not contain a password, which other users could read; use \(own)")
        }
        return settings(.success(proxy))
    }

    // MARK: The shared engine

    /// Every setting is checked, also without an engine.
    private func shared() throws(SettingError) -> SharedStateConfiguration? {
        typealias Shared = SharedStateConfiguration
        let address = try text(.shared).map { text throws(SettingError) in
            try text.value { url throws(InvalidValue) in try EngineAddress(url) }
        }
        let keys: Shared.Keys? = try text(.sharedKeys).map { text throws(SettingError) in try text.choice() }
        let user = try text(.sharedUser)
        let timeout = try integer(
            .sharedTimeout,
            in: Int(
                Shared.commandTimeoutRange.lowerBound.milliseconds)...Int(
                    Shared.commandTimeoutRange.upperBound.milliseconds))
        let prefix = try text(.sharedPrefix)
        let password = try sharedPassword()
        let authorities = try certificateFile(.sharedCAFile)
        let (certificate, key) = (try path(.sharedClientCertificate), try path(.sharedClientKey))
        let macSecret = try macSecret()
        let allowsPlaintext = try isSet(.sharedPlaintext)
        guard let address else { return nil }
        if !allowsPlaintext, address.isPlaintextToAnotherMachine, let source = given(.shared) {
            throw source.error(
                "must be rediss://…, because others could change what passes between the machines; if they can't, set \(name(.sharedPlaintext))"
            )
        }
        do {
            var shared = try Shared(
                address: address, allowsPlaintext: allowsPlaintext, keys: keys ?? .off,
                user: user?.text ?? Shared.defaultUser, password: password, caFile: authorities,
                clientCertificate: certificate, clientKey: key, macSecret: macSecret,
                commandTimeout: timeout.map { .milliseconds($0) } ?? Shared.defaultCommandTimeout,
                prefix: prefix?.text ?? Shared.defaultPrefix)
            shared.names.user = user?.name ?? name(.sharedUser)
            shared.names.password =
                switch password {
                case .text: ClientSetting.sharedPasswordVariable
                case .file, .none: given(.sharedPasswordFile)?.name ?? name(.sharedPasswordFile)
                }
            return shared
        } catch {
            let setting = ClientSetting.allCases.first { $0.sharedParameter == error.name } ?? .shared
            guard let source = given(setting) ?? given(.shared) else { throw SettingError(error, isMisuse: false) }
            throw source.error(error.problem)
        }
    }

    /// A file that is named explicitly must be readable; one that a variable names may appear later.
    private func sharedPassword() throws(SettingError) -> SharedStateConfiguration.Password {
        if let file = try text(.sharedPasswordFile) {
            let path = environment.expandingHome(file.text)
            if file.isExplicit { _ = try contents(of: path, file) }
            return .file(path: path)
        }
        return environment[ClientSetting.sharedPasswordVariable].map { .text(SecretBytes($0)) } ?? .none
    }

    private func macSecret() throws(SettingError) -> SecretBytes? {
        guard let source = try text(.sharedMACFile) else { return nil }
        let path = environment.expandingHome(source.text)
        let file = try contents(of: path, source)
        func problem(_ problem: String) -> SettingError {
            SettingError(InvalidValue(source.name, "\(path.excerpt): \(problem)"), isMisuse: false)
        }
        guard file.contents.count >= SharedStateConfiguration.minimumMACSecretBytes else {
            throw problem("must hold at least \(SharedStateConfiguration.minimumMACSecretBytes) random bytes")
        }
        guard !file.isNeedlesslyOpen else {
            throw problem("other users can read or change it; remove these permissions (chmod go= FILE)")
        }
        return file.contents
    }

    private func contents(of path: String, _ source: SettingText) throws(SettingError) -> SecretFile {
        do {
            return try SecretFile(reading: path)
        } catch {
            throw SettingError(InvalidValue(source.name, "\(path.excerpt): \(error)"), isMisuse: false)
        }
    }

    private func path(_ setting: ClientSetting) throws(SettingError) -> String? {
        try text(setting).map { environment.expandingHome($0.text) }
    }

    /// A flag without a value, or a variable with 1 or true, 0 or false.
    private func isSet(_ setting: ClientSetting) throws(SettingError) -> Bool {
        guard let text = given(setting) else { return false }
        if text.isExplicit, text.text.isEmpty { return true }
        switch text.text.lowercased() {
        case "1", "true": return true
        case "0", "false": return false
        default: throw text.error("must be 1 or 0")
        }
    }
}
