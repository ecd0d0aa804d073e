#if Configuration
import Configuration

extension KMSClientConfiguration {
    /// A configuration from a reader of swift-configuration, by the package trait `Configuration` and by the rules of
    /// `init(environment:userAgent:)`. What the reader does not have is taken from the environment, and then from the
    /// defaults.
    ///
    /// ```swift
    /// let config = ConfigReader(provider: try await FileProvider<JSONSnapshot>(filePath: "/etc/my-service.json"))
    /// let client = try KMSClient(KMSClientConfiguration(config: config.scoped(to: "ncloud.kms")))
    /// ```
    ///
    /// Keys, relative to the reader; all are optional:
    ///
    /// - `endpoint` or `zone` (string): where the service is.
    /// - `token` (string, secret), or `accessKeyID` and `secretAccessKey` (strings, the latter secret): the credentials.
    /// - `tokenFile`, `profile`, `configFile` (string): where credentials are looked for if the reader has none. The files must
    ///   exist.
    /// - `caFile` (string): the file of the authorities to trust, which must exist.
    /// - `proxy` (string): the proxy's URL, without a password; empty for no proxy.
    /// - `cacheTTL` and `staleIfError` (int): in seconds.
    /// - `ratePerKey` and `rateTotal` (int): requests a second.
    /// - `maxConnections` and `maxAttempts` (int).
    ///
    /// - Parameters:
    ///   - config: the reader. Its values are those of this moment; later changes have no effect.
    ///   - environment: the variables for what the reader does not have; `EnvironmentVariables([:])` for none.
    ///   - userAgent: the `User-Agent` of requests: `name/version`.
    /// - Throws: `InvalidValue`, named after the key or the variable whose value is unusable.
    public init(
        config: ConfigReader, environment: EnvironmentVariables = .process, userAgent: String = defaultUserAgent
    ) throws(InvalidValue) {
        let keys = ConfigurationKeys(config.snapshot())
        let reader = ClientSettingReader(
            environment: environment, explicit: { keys.text(of: $0) }, name: { $0.configurationKey })
        // A token file that is named takes precedence, as it does in every look-up.
        let credentials = keys.text(of: .tokenFile) == nil ? try keys.credentials() : nil
        do {
            self = try reader.configuration(authentication: credentials.map { .credentials($0) }, userAgent: userAgent)
        } catch {
            throw error.invalid
        }
    }
}

/// The values of a reader, as the texts that a flag or a variable would have.
private struct ConfigurationKeys {
    private static let token = "token"
    private static let accessKeyID = "accessKeyID"
    private static let secretAccessKey = "secretAccessKey"

    private let config: ConfigSnapshotReader

    init(_ config: ConfigSnapshotReader) {
        self.config = config
    }

    func text(of setting: ClientSetting) -> SettingText? {
        let name = setting.configurationKey
        // The proxy's URL might contain a password, which is refused then.
        return text(name, isSecret: setting == .proxy).map { SettingText($0, name: name, isExplicit: true) }
    }

    /// Nil if there are none.
    func credentials() throws(InvalidValue) -> Credentials? {
        if let token = secret(Self.token) {
            do {
                return try Credentials(token: token)
            } catch {
                throw InvalidValue(Self.token, error.problem)
            }
        }
        let id = text(Self.accessKeyID)?.trimmingASCIIWhitespace()
        let secret = secret(Self.secretAccessKey)
        guard let id, let secret else {
            if id != nil { throw InvalidValue(Self.accessKeyID, "is set, but \(Self.secretAccessKey) is not") }
            if secret != nil { throw InvalidValue(Self.secretAccessKey, "is set, but \(Self.accessKeyID) is not") }
            return nil
        }
        return try Credentials(accessKeyID: id, secretAccessKey: secret)
    }

    private func secret(_ key: String) -> SecretBytes? {
        text(key, isSecret: true).map { SecretBytes(Array($0.utf8).trimmingWhitespace()) }
    }

    /// The value as text, whatever its type is: files have numbers where variables have text, and a value of the wrong type is
    /// an error, as opposed to one that is missing.
    private func text(_ name: String, isSecret: Bool = false) -> String? {
        let key = ConfigKey(name)
        return config.string(forKey: key, isSecret: isSecret)
            ?? config.int(forKey: key, isSecret: isSecret).map { "\($0)" }
            ?? config.double(forKey: key, isSecret: isSecret).map { "\($0)" }
            ?? config.bool(forKey: key, isSecret: isSecret).map { "\($0)" }
            ?? config.stringArray(forKey: key, isSecret: isSecret).map { "\($0)" }
    }
}

extension ClientSetting {
    /// Within the scope `ncloud.kms`, an `EnvironmentVariablesProvider` makes the variables of the program of most of them.
    fileprivate var configurationKey: String {
        switch self {
        case .endpoint: "endpoint"
        case .zone: "zone"
        case .profile: "profile"
        case .configurationFile: "configFile"
        case .tokenFile: "tokenFile"
        case .caFile: "caFile"
        case .proxy: "proxy"
        case .cacheTimeToLive: "cacheTTL"
        case .staleIfError: "staleIfError"
        case .ratePerKey: "ratePerKey"
        case .totalRate: "rateTotal"
        case .maximumConnections: "maxConnections"
        case .maximumAttempts: "maxAttempts"
        case .shared: "shared"
        case .sharedKeys: "sharedKeys"
        case .sharedUser: "sharedUser"
        case .sharedPasswordFile: "sharedPasswordFile"
        case .sharedCAFile: "sharedCAFile"
        case .sharedClientCertificate: "sharedClientCert"
        case .sharedClientKey: "sharedClientKey"
        case .sharedMACFile: "sharedMACFile"
        case .sharedTimeout: "sharedTimeout"
        case .sharedPrefix: "sharedPrefix"
        case .sharedPlaintext: "sharedPlaintext"
        }
    }
}
#endif
