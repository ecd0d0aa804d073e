import KMSEmulator
import Platform

/// The environment of a wrapped command: the emulator's, with everything that leads a client here, and nothing that
/// leads it elsewhere.
struct CommandEnvironment {
    private let variables: [String: String]

    /// Variables that would make a client use other credentials, another host or a proxy.
    private static let misleading: Set<String> = [
        "NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY",
        "NCLOUD_KMS_TOKEN", "NCLOUD_KMS_TOKEN_FILE", "NCLOUD_KMS_ZONE", "NCLOUD_KMS_PROXY", "NCLOUD_PROFILE",
        "NCLOUD_CONFIG_FILE", "NCLOUD_METADATA_API_ENDPOINT", "NCLOUD_KMS_CA_FILE",
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    ]

    /// Where clients in other languages look for the authorities to trust: OpenSSL's own and Go's, Python's `requests`,
    /// the `curl` command, Node.
    private static let trust = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]

    /// How the command gets its credentials.
    enum Credentials {
        case keyPair(Seed.AccessKey)
        /// From the metadata service at this base URL, and from nowhere else.
        case serverRole(endpoint: String)
    }

    /// - Parameter caFile: nil for plain HTTP.
    init(endpoint: String, caFile: String?, credentials: Credentials) {
        var variables = ["NCLOUD_KMS_ENDPOINT": endpoint]
        switch credentials {
        case .keyPair(let accessKey):
            variables["NCLOUD_ACCESS_KEY_ID"] = accessKey.id
            variables["NCLOUD_ACCESS_KEY"] = accessKey.id
            variables["NCLOUD_SECRET_ACCESS_KEY"] = accessKey.secret
            variables["NCLOUD_SECRET_KEY"] = accessKey.secret
        case .serverRole(let endpoint):
            variables["NCLOUD_METADATA_API_ENDPOINT"] = endpoint
            // Without it a client would read the profile of whoever runs this, before it asks for a role.
            variables["NCLOUD_CONFIG_FILE"] = "/dev/null"
        }
        if let caFile {
            for name in Self.trust + ["NCLOUD_KMS_CA_FILE"] { variables[name] = caFile }
        }
        self.variables = variables
    }

    /// Whether a variable of the emulator's own environment goes on to the command.
    func inherits(_ name: String) -> Bool { variables[name] == nil && !Self.misleading.contains(name) }

    /// What is added, as `NAME=VALUE`.
    var additions: [String] { variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } }
}
