import NCloudKMS

extension SettingReader {
    /// What the client is made with.
    func clientConfiguration(zone: Zone) throws(ConfigurationError) -> KMSClientConfiguration {
        fatalError()
    }
}
