/// A setting of the client that can be given as text: by an environment variable, a flag or a configuration file. The
/// raw values are the parameters of `KMSClientConfiguration` and `CredentialLookup` that the texts become.
package enum ClientSetting: String, CaseIterable, Sendable {
    case endpoint, zone, profile, configurationFile, tokenFile, caFile, proxy, cacheTimeToLive, staleIfError,
        ratePerKey,
        totalRate, maximumConnections, maximumAttempts

    /// The environment variables for it; the first that is set and not empty counts.
    package var variables: [String] {
        switch self {
        case .endpoint: ["NCLOUD_KMS_ENDPOINT"]
        case .zone: ["NCLOUD_KMS_ZONE"]
        case .profile: [CredentialLookup.profileVariable]
        case .configurationFile: [CredentialLookup.configurationFileVariable]
        case .tokenFile: [CredentialLookup.tokenFileVariable]
        case .caFile: ["NCLOUD_KMS_CA_FILE"]
        case .proxy: ["NCLOUD_KMS_PROXY", "HTTPS_PROXY", "https_proxy"]
        case .cacheTimeToLive: ["NCLOUD_KMS_CACHE_TTL"]
        case .staleIfError: ["NCLOUD_KMS_STALE_IF_ERROR"]
        case .ratePerKey: ["NCLOUD_KMS_RATE_PER_KEY"]
        case .totalRate: ["NCLOUD_KMS_RATE_TOTAL"]
        case .maximumConnections: ["NCLOUD_KMS_MAX_CONNECTIONS"]
        case .maximumAttempts: ["NCLOUD_KMS_MAX_ATTEMPTS"]
        }
    }
}
