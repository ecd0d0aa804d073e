import NCloudKMS
import KMSPlatform

extension SettingReader {
    private static let userAgent = "ncloud-kms-rpc/\(ProgramVersion.text)"

    func zone() throws(ConfigurationError) -> Zone {
        try required(.zone) { name throws(ConfigurationError) in
            try value(name) { text throws(InvalidValue) in try Zone(named: text.lowercased()) }
        }
    }

    /// What the client is made with.
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

    /// What the settings are called in the library whose values they become.
    private static let names: [String: Setting.Name] = [
        "cacheTimeToLive": .cacheTTL, "staleIfError": .staleIfError, "ratePerKey": .ratePerKey,
        "totalRate": .rateTotal, "maximumConnections": .maxConnections, "maximumAttempts": .maxAttempts,
        "profile": .profile, "configurationFile": .configFile, "tokenFile": .tokenFile,
    ]

    /// What the library refuses, by the name of the flag.
    private static func error(_ invalid: InvalidValue) -> ConfigurationError {
        ConfigurationError("\(names[invalid.name]?.flag ?? invalid.name) \(invalid.problem)", isUsage: false)
    }

    private func seconds(_ name: Setting.Name, in range: ClosedRange<Duration>) throws(ConfigurationError) -> Duration {
        .seconds(
            try integer(name, in: Int(range.lowerBound.components.seconds)...Int(range.upperBound.components.seconds)))
    }

    /// Places that a flag names must be there; those that a variable names may turn up later.
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

    /// A file that a flag names must be readable. One that a variable names may come later, but what is no file at all can't
    /// be meant.
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
        // An empty flag means none, whatever the environment says.
        guard let source = source(.proxy), !source.text.isEmpty else { return .none }
        let proxy: ProxyConfiguration
        do {
            proxy = try ProxyConfiguration(url: source.text, name: source.origin)
        } catch {
            // What other programs share is not for us to stop at, but for the calls that would use it.
            let isShared = !source.isFlag && source.origin != Setting[.proxy].variables[0]
            guard isShared else { throw source.error(error.problem) }
            return settings(.failure(error))
        }
        if source.isFlag, proxy.hasUserInfo {
            throw source.error("must not hold a password, which other users could read: use NCLOUD_KMS_PROXY")
        }
        return settings(.success(proxy))
    }
}
