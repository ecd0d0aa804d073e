import KMSEmulator
import Platform

/// The environment of a wrapped command: the emulator's, with everything that leads a client here, and nothing that
/// leads it elsewhere.
struct CommandEnvironment {
    private let variables: [String: String]

    /// Variables that would make a client use other credentials, another host or a proxy.
    private static let misleading: Set<String> = [
        "NCLOUD_KMS_TOKEN", "NCLOUD_KMS_TOKEN_FILE", "NCLOUD_KMS_ZONE", "NCLOUD_KMS_PROXY", "NCLOUD_PROFILE",
        "NCLOUD_CONFIG_FILE", "NCLOUD_METADATA_API_ENDPOINT", "NCLOUD_KMS_CA_FILE",
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    ]

    /// - Parameter caFile: nil for plain HTTP.
    init(endpoint: String, caFile: String?, accessKey: Seed.AccessKey) {
        var variables = [
            "NCLOUD_KMS_ENDPOINT": endpoint,
            "NCLOUD_ACCESS_KEY_ID": accessKey.id,
            "NCLOUD_ACCESS_KEY": accessKey.id,
            "NCLOUD_SECRET_ACCESS_KEY": accessKey.secret,
            "NCLOUD_SECRET_KEY": accessKey.secret,
        ]
        variables["NCLOUD_KMS_CA_FILE"] = caFile
        self.variables = variables
    }

    /// Whether a variable of the emulator's own environment goes on to the command.
    func inherits(_ name: String) -> Bool { variables[name] == nil && !Self.misleading.contains(name) }

    /// What is added, as `NAME=VALUE`.
    var additions: [String] { variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } }
}
