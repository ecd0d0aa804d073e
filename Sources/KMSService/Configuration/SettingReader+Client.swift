import NCloudKMS
import Platform

extension SettingReader {
    private static let userAgent = "ncloud-kms-rpc/\(ProgramVersion.text)"
    /// A week: a public key outlives its version's disabling in every cache, so nothing may be kept for ever.
    private static let seconds = 0...604_800
    private static let perSecond = 0...1_000_000

    /// What the client is made with.
    func clientConfiguration(zone: Zone) throws(ConfigurationError) -> KMSClientConfiguration {
        let endpoint = try value(.endpoint) { text throws(InvalidValue) in try Endpoint(text) } ?? zone.endpoint
        var client = KMSClientConfiguration(endpoint: endpoint, userAgent: Self.userAgent)
        client.credentials = try credentialLookup()
        client.caFile = try readableFile(.caFile)
        client.proxy = try proxy()
        if let ttl = try integer(.cacheTTL, in: Self.seconds) { client.cacheTTL = .seconds(ttl) }
        if let age = try integer(.staleIfError, in: Self.seconds) { client.staleIfError = .seconds(age) }
        client.ratePerKey = try integer(.ratePerKey, in: Self.perSecond) ?? client.ratePerKey
        client.totalRate = try integer(.rateTotal, in: Self.perSecond) ?? client.totalRate
        client.maximumConnections = try integer(.maxConnections, in: 1...1_024) ?? client.maximumConnections
        client.maximumAttempts = try integer(.maxAttempts, in: 1...100) ?? client.maximumAttempts
        client.correctsClock = !isSet(.noClockCorrection)
        return client
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
            throw ConfigurationError("--\(error)", isUsage: false)
        }
        return lookup
    }

    /// A file that a flag names must be readable; one that a variable names is tried when it is needed.
    private func readableFile(_ name: Setting.Name) throws(ConfigurationError) -> String? {
        guard let source = try text(name) else { return nil }
        if source.isFlag, access(source.text, R_OK) != 0 {
            let problem = PlatformError.text(of: errno)
            throw ConfigurationError("\(source.origin) \(source.text): \(problem)", isUsage: false)
        }
        return source.text
    }

    private func proxy() throws(ConfigurationError) -> ProxyConfiguration? {
        guard let source = try text(.proxy) else { return nil }
        let exceptions = environment["NO_PROXY"] ?? environment["no_proxy"] ?? ""
        let proxy = try value(.proxy) { text throws(InvalidValue) in
            try ProxyConfiguration(url: text, exceptions: exceptions)
        }
        if source.isFlag, proxy?.hasUserInfo ?? false {
            throw source.error("must not hold a password, which other users could read: use NCLOUD_KMS_PROXY")
        }
        return proxy
    }
}
