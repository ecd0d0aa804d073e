import NCloudKMS
import KMSPlatform

extension SettingReader {
    private static let userAgent = "ncloud-kms-rpc/\(ProgramVersion.text)"

    func zone() throws(ConfigurationError) -> Zone {
        try required(.zone) { name throws(ConfigurationError) in
            try value(name) { text throws(InvalidValue) in try Zone(named: text.lowercased()) }
        }
    }

    /// The configuration of the client.
    func clientConfiguration(zone: Zone) throws(ConfigurationError) -> KMSClientConfiguration {
        typealias Client = KMSClientConfiguration
        let endpoint = try value(.endpoint) { text throws(InvalidValue) in try Endpoint(text) }
        let timeToLive = try seconds(.cacheTTL, in: Client.cacheTimeToLiveRange)
        let staleIfError = try seconds(.staleIfError, in: Client.staleIfErrorRange)
        let ratePerKey = try integer(.ratePerKey, in: Client.rateRange)
        let totalRate = try integer(.rateTotal, in: Client.rateRange)
        let connections = try integer(.maxConnections, in: Client.connectionsRange)
        let attempts = try integer(.maxAttempts, in: Client.attemptsRange)
        let authentication = Client.Authentication.lookup(try credentialLookup())
        let caFile = try certificateFile()
        let proxy = try proxy()
        do {
            return try Client(
                endpoint: endpoint ?? zone.endpoint, authentication: authentication, cacheTimeToLive: timeToLive,
                staleIfError: staleIfError, ratePerKey: ratePerKey, totalRate: totalRate,
                maximumConnections: connections, maximumAttempts: attempts, caFile: caFile, proxy: proxy,
                correctsClock: !isSet(.noClockCorrection), userAgent: Self.userAgent)
        } catch {
            throw Self.error(error)
        }
    }

    /// The settings whose values the library knows by other names.
    private static let names: [String: Setting.Name] = [
        "cacheTimeToLive": .cacheTTL, "staleIfError": .staleIfError, "ratePerKey": .ratePerKey,
        "totalRate": .rateTotal, "maximumConnections": .maxConnections, "maximumAttempts": .maxAttempts,
        "profile": .profile, "configurationFile": .configFile, "tokenFile": .tokenFile,
    ]

    /// An error of the library, with the flag's name.
    private static func error(_ invalid: InvalidValue) -> ConfigurationError {
        ConfigurationError("\(names[invalid.name]?.flag ?? invalid.name) \(invalid.problem)", isUsage: false)
    }

    private func seconds(_ name: Setting.Name, in range: ClosedRange<Duration>) throws(ConfigurationError) -> Duration {
        .seconds(
            try integer(name, in: Int(range.lowerBound.components.seconds)...Int(range.upperBound.components.seconds)))
    }

    /// A place that a flag names must exist; one that a variable names may appear later.
    private func credentialLookup() throws(ConfigurationError) -> CredentialLookup {
        for name in [Setting.Name.profile, .configFile, .tokenFile] { _ = try text(name) }
        let lookup = CredentialLookup(
            environment: environment, profile: flags[.profile], configurationFile: flags[.configFile],
            tokenFile: flags[.tokenFile])
        do {
            try lookup.verifyNamedPlaces()
        } catch {
            throw Self.error(error)
        }
        return lookup
    }

    /// A file that a flag names must be readable. One that a variable names may appear later, but a path that is not a
    /// file is always an error.
    private func certificateFile() throws(ConfigurationError) -> CertificateFile? {
        guard let source = try text(.caFile) else { return nil }
        let file = CertificateFile(path: environment.expandingHome(source.text), name: source.origin)
        do {
            _ = try RegularFile(opening: file.path)
        } catch {
            if case .system = error, !source.isFlag { return file }
            throw ConfigurationError("\(source.origin) \(file.path.excerpt): \(error)", isUsage: false)
        }
        return file
    }

    private func proxy() throws(ConfigurationError) -> ProxySettings {
        let exceptions = environment.first(of: ["NO_PROXY", "no_proxy"])
        func settings(_ proxy: Result<ProxyConfiguration, InvalidValue>) -> ProxySettings {
            ProxySettings(
                proxy, exceptions: ProxyExceptions(exceptions?.value ?? ""),
                exceptionsName: exceptions?.name ?? "NO_PROXY")
        }
        // An empty flag means no proxy, whatever the environment says.
        guard let source = source(.proxy), !source.text.isEmpty else { return .none }
        let proxy: ProxyConfiguration
        do {
            proxy = try ProxyConfiguration(url: source.text, name: source.origin)
        } catch {
            // An error in a variable that other programs share must not keep us from starting; only the calls that
            // would use it fail.
            let isShared = !source.isFlag && source.origin != Setting[.proxy].variables[0]
            guard isShared else { throw source.error(error.problem) }
            return settings(.failure(error))
        }
        if source.isFlag, proxy.hasUserInfo {
            throw source.error("must not contain a password, which other users could read; use NCLOUD_KMS_PROXY")
        }
        return settings(.success(proxy))
    }
}
