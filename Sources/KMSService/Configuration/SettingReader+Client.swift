import NCloudKMS

extension SettingReader {
    /// What the client is made with.
    func clientConfiguration(zone: Zone) throws(ConfigurationError) -> KMSClientConfiguration {
        var client = KMSClientConfiguration()
        client.endpoint = try value(.endpoint) { text throws(InvalidValue) in try Endpoint(text) } ?? zone.endpoint
        client.caFile = try text(.caFile)?.text
        client.credentials = CredentialLookup(
            environment: environment, profile: flags[.profile], configurationFile: flags[.configFile],
            tokenFile: flags[.tokenFile])
        return client
    }
}
