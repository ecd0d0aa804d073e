/// A setting of the client that can be given as text: by an environment variable, a flag or a configuration file. The
/// raw values are the parameters of `KMSClientConfiguration` and `CredentialLookup` that the texts become.
package enum ClientSetting: String, CaseIterable, Sendable {
    case endpoint, zone, profile, configurationFile, tokenFile, caFile, proxy, cacheTimeToLive, staleIfError,
        ratePerKey,
        totalRate, maximumConnections, maximumAttempts, shared, sharedKeys, sharedUser, sharedPasswordFile,
        sharedCAFile,
        sharedClientCertificate, sharedClientKey, sharedMACFile, sharedTimeout, sharedPrefix, sharedPlaintext

    /// The variable with the password for the shared engine; there is no flag for it, as other users can read those.
    package static let sharedPasswordVariable = "NCLOUD_KMS_SHARED_PASSWORD"

    /// The parameter of `SharedStateConfiguration` that it becomes.
    var sharedParameter: String? {
        switch self {
        case .shared: "address"
        case .sharedKeys: "keys"
        case .sharedUser: "user"
        case .sharedPasswordFile: "password"
        case .sharedCAFile: "caFile"
        case .sharedClientCertificate: "clientCertificate"
        case .sharedClientKey: "clientKey"
        case .sharedTimeout: "commandTimeout"
        case .sharedPrefix: "prefix"
        default: nil
        }
    }

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
        case .shared: ["NCLOUD_KMS_SHARED"]
        case .sharedKeys: ["NCLOUD_KMS_SHARED_KEYS"]
        case .sharedUser: ["NCLOUD_KMS_SHARED_USER"]
        case .sharedPasswordFile: ["NCLOUD_KMS_SHARED_PASSWORD_FILE"]
        case .sharedCAFile: ["NCLOUD_KMS_SHARED_CA_FILE"]
        case .sharedClientCertificate: ["NCLOUD_KMS_SHARED_CLIENT_CERT"]
        case .sharedClientKey: ["NCLOUD_KMS_SHARED_CLIENT_KEY"]
        case .sharedMACFile: ["NCLOUD_KMS_SHARED_MAC_FILE"]
        case .sharedTimeout: ["NCLOUD_KMS_SHARED_TIMEOUT"]
        case .sharedPrefix: ["NCLOUD_KMS_SHARED_PREFIX"]
        case .sharedPlaintext: ["NCLOUD_KMS_SHARED_PLAINTEXT"]
        }
    }
}
