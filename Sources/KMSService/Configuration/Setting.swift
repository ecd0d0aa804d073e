/// One entry of the configuration. The flags, the environment variables, `--help`, the table of the README and a test
/// all come from the list `Setting.all`.
public struct Setting: Sendable {
    public enum Name: String, CaseIterable, Sendable {
        case endpoint, zone, profile
        case configFile = "config-file"
        case tokenFile = "token-file"
        case caFile = "ca-file"
        case proxy
        case cacheTTL = "cache-ttl"
        case staleIfError = "stale-if-error"
        case ratePerKey = "rate-per-key"
        case rateTotal = "rate-total"
        case maxConnections = "max-connections"
        case maxAttempts = "max-attempts"
        case framing
        case maxMessageBytes = "max-message-bytes"
        case maxBatch = "max-batch"
        case maxInFlight = "max-in-flight"
        case parentPID = "parent-pid"
        case stdio
        case allowDebug = "allow-debug"
        case noClockCorrection = "no-clock-correction"
        case logLevel = "log-level"
        case logFormat = "log-format"

        /// As it is written on a command line.
        public var flag: String { "--\(rawValue)" }

        /// What else the flag is called, as other programs call it; without the dashes.
        public var alias: String? { self == .parentPID ? "clientProcessId" : nil }
    }

    public let name: Name
    /// What the value is called in help; nil for a flag that takes none.
    public let valueName: String?
    /// The environment variables that stand in for the flag; the first that is set and not empty counts.
    public let variables: [String]
    /// What holds when neither is given, in words.
    public let defaultText: String
    /// A sentence without its full stop.
    public let help: String

    /// The entry of that name.
    public static subscript(_ name: Name) -> Setting { name.setting }

    init(
        _ name: Name, _ valueName: String?, _ variables: [String], defaultText: String, _ help: String
    ) {
        self.name = name
        self.valueName = valueName
        self.variables = variables
        self.defaultText = defaultText
        self.help = help
    }
}

extension Setting {
    /// In the order of the help page, which is that of the names.
    public static let all = Name.allCases.map(\.setting)
}

extension Setting.Name {
    fileprivate var setting: Setting {
        switch self {
        case .endpoint:
            Setting(
                self, "url", ["NCLOUD_KMS_ENDPOINT"], defaultText: "the zone's host",
                "The service's base URL: scheme, host and port; https, or http to this machine itself")
        case .zone:
            Setting(
                self, "name", ["NCLOUD_KMS_ZONE"], defaultText: "public",
                "Where the keys are: public, public-kr, public-jp or gov")
        case .profile:
            Setting(
                self, "name", ["NCLOUD_PROFILE"], defaultText: "DEFAULT",
                "The section of the profile file that holds the credentials")
        case .configFile:
            Setting(
                self, "path", ["NCLOUD_CONFIG_FILE"], defaultText: "~/.ncloud/configure",
                "The profile file")
        case .tokenFile:
            Setting(
                self, "path", ["NCLOUD_KMS_TOKEN_FILE"], defaultText: "none",
                "A file that holds an access token, instead of a key pair; read again when it changes")
        case .caFile:
            Setting(
                self, "path", ["NCLOUD_KMS_CA_FILE"], defaultText: "the system's",
                "PEM file of certificate authorities to trust instead of the system's; read again when it changes")
        case .proxy:
            Setting(
                self, "url",
                ["NCLOUD_KMS_PROXY", "HTTPS_PROXY", "https_proxy"], defaultText: "none",
                "The HTTP proxy to the service; a password in it is taken from the environment only")
        case .cacheTTL:
            Setting(
                self, "seconds", ["NCLOUD_KMS_CACHE_TTL"], defaultText: "300",
                "How old a cached key may get; 0 keeps nothing")
        case .staleIfError:
            Setting(
                self, "seconds", ["NCLOUD_KMS_STALE_IF_ERROR"], defaultText: "0",
                "How much older a cached key may be when the service can't be reached; 0 is off")
        case .ratePerKey:
            Setting(
                self, "number", ["NCLOUD_KMS_RATE_PER_KEY"], defaultText: "300",
                "Requests a second for one key; 0 is no limit")
        case .rateTotal:
            Setting(
                self, "number", ["NCLOUD_KMS_RATE_TOTAL"], defaultText: "0",
                "Requests a second in all; 0 is no limit")
        case .maxConnections:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_CONNECTIONS"], defaultText: "32",
                "Connections to the service, so requests to it at once")
        case .maxAttempts:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_ATTEMPTS"], defaultText: "3",
                "Requests for one call, retries included")
        case .framing:
            Setting(
                self, "name", ["NCLOUD_KMS_FRAMING"], defaultText: "auto",
                "How messages are told apart: lines, headers (Content-Length), or auto, by the first line")
        case .maxMessageBytes:
            Setting(
                self, "bytes", ["NCLOUD_KMS_MAX_MESSAGE_BYTES"], defaultText: "1048576",
                "The longest message that is read")
        case .maxBatch:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_BATCH"], defaultText: "1000",
                "The most members of a batch")
        case .maxInFlight:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_IN_FLIGHT"], defaultText: "1024",
                "Calls at once; beyond that nothing is read from stdin")
        case .parentPID:
            Setting(
                self, "pid", [], defaultText: "off",
                "End when that process ends, for hosts whose pipe others hold open too")
        case .stdio:
            Setting(
                self, nil, [], defaultText: "off",
                "Accepted, as editors' clients pass it, and means nothing: it always speaks on stdin and stdout")
        case .allowDebug:
            Setting(
                self, nil, [], defaultText: "off",
                "Allow core dumps and debuggers, which can read the credentials")
        case .noClockCorrection:
            Setting(
                self, nil, [], defaultText: "off",
                "Sign with this machine's clock even when the service shows that it is wrong")
        case .logLevel:
            Setting(
                self, "level", ["NCLOUD_KMS_LOG_LEVEL"], defaultText: "info",
                "trace, debug, info, notice, warning, error or critical")
        case .logFormat:
            Setting(
                self, "name", ["NCLOUD_KMS_LOG_FORMAT"], defaultText: "text on a terminal, else json",
                "text or json")
        }
    }
}
