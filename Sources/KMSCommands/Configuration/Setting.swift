import Logging
import KMSPlatform
import NCloudKMS

/// One entry of the configuration. `Setting.all` is the only list of settings: flags, environment variables, defaults,
/// `--help`, shell completions, the man page and the table in `protocol/settings.md` are made from it.
package struct Setting: Sendable {
    package enum Name: String, CaseIterable, Sendable {
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
        case shared
        case sharedKeys = "shared-keys"
        case sharedUser = "shared-user"
        case sharedPasswordFile = "shared-password-file"
        case sharedCAFile = "shared-ca-file"
        case sharedClientCert = "shared-client-cert"
        case sharedClientKey = "shared-client-key"
        case sharedMACFile = "shared-mac-file"
        case sharedTimeout = "shared-timeout"
        case sharedPrefix = "shared-prefix"
        case sharedPlaintext = "shared-plaintext"
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

        /// The flag for a setting of the client.
        init(_ setting: ClientSetting) {
            self =
                switch setting {
                case .endpoint: .endpoint
                case .zone: .zone
                case .profile: .profile
                case .configurationFile: .configFile
                case .tokenFile: .tokenFile
                case .caFile: .caFile
                case .proxy: .proxy
                case .cacheTimeToLive: .cacheTTL
                case .staleIfError: .staleIfError
                case .ratePerKey: .ratePerKey
                case .totalRate: .rateTotal
                case .maximumConnections: .maxConnections
                case .maximumAttempts: .maxAttempts
                case .shared: .shared
                case .sharedKeys: .sharedKeys
                case .sharedUser: .sharedUser
                case .sharedPasswordFile: .sharedPasswordFile
                case .sharedCAFile: .sharedCAFile
                case .sharedClientCertificate: .sharedClientCert
                case .sharedClientKey: .sharedClientKey
                case .sharedMACFile: .sharedMACFile
                case .sharedTimeout: .sharedTimeout
                case .sharedPrefix: .sharedPrefix
                case .sharedPlaintext: .sharedPlaintext
                }
        }

        /// The flag on the command line, with its dashes.
        package var flag: String { "--\(rawValue)" }

        /// Another name for the flag, which other programs use; without the dashes.
        package var alias: String? { self == .parentPID ? "clientProcessId" : nil }

        /// - Parameter word: a flag with its dashes, by its name or its alias.
        init?(flag word: some StringProtocol) {
            guard word.hasPrefix("--") else { return nil }
            let name = String(word.dropFirst(2))
            guard let match = Name(rawValue: name) ?? Name.allCases.first(where: { $0.alias == name }) else {
                return nil
            }
            self = match
        }
    }

    /// What the setting affects; this decides which commands list it in their help. All commands accept all settings.
    package enum Scope: Sendable {
        /// Every call.
        case calls
        /// Several calls at the same time.
        case load
        /// A serving process: its cache and its protocol.
        case serving
    }

    /// The value if neither the flag nor a variable is given.
    enum Default: Sendable {
        /// The same as if this text were given.
        case text(String)
        /// A value that no text can express, described in words.
        case described(String)
    }

    /// The possible values, for shell completion.
    package enum Values: Equatable, Sendable {
        case words([String])
        case path
        /// Numbers, names and URLs.
        case any
    }

    package let name: Name
    /// The name of the value in the help; nil for a flag without a value.
    package let valueName: String?
    package let values: Values
    /// The environment variables that can replace the flag; the first that is set and not empty is used.
    package let variables: [String]
    let defaultValue: Default
    package let scope: Scope
    /// A sentence without its full stop.
    package let help: String

    /// The setting with this name.
    package static subscript(_ name: Name) -> Setting { name.setting }

    /// In the order of the names, which is also their order in the help.
    package static let all = Name.allCases.map(\.setting)

    fileprivate init(
        _ name: Name, _ valueName: String?, _ variables: [String], _ defaultValue: Default, _ scope: Scope,
        values: Values = .any, _ help: String
    ) {
        self.name = name
        self.valueName = valueName
        self.values = values
        self.variables = variables
        self.defaultValue = defaultValue
        self.scope = scope
        self.help = help
    }

    /// The default for people.
    package var defaultText: String {
        switch defaultValue {
        case .text(let text), .described(let text): text
        }
    }
}

extension Setting.Values {
    fileprivate static func cases<Choice: CaseIterable & RawRepresentable<String>>(_: Choice.Type) -> Self {
        .words(Choice.allCases.map(\.rawValue))
    }
}

// MARK: The table

extension Setting.Name {
    fileprivate var setting: Setting {
        typealias Client = KMSClientConfiguration
        typealias Shared = SharedStateConfiguration
        typealias Framing = ProgramConfiguration.FramingName
        return switch self {
        case .endpoint:
            Setting(
                self, "url", ClientSetting.endpoint.variables, .described("the zone's host"), .calls,
                "The service's base URL: scheme, host and port; https, or http to this machine")
        case .zone:
            Setting(
                self, "name", ClientSetting.zone.variables, .text(Zone.global.rawValue), .calls,
                values: .cases(Zone.self),
                "The zone of the keys: public, public-kr, public-jp or gov")
        case .profile:
            Setting(
                self, "name", ClientSetting.profile.variables, .described("DEFAULT"), .calls,
                "The section of the profile file that has the credentials")
        case .configFile:
            Setting(
                self, "path", ClientSetting.configurationFile.variables, .described("~/.ncloud/configure"), .calls,
                values: .path, "The profile file")
        case .tokenFile:
            Setting(
                self, "path", ClientSetting.tokenFile.variables, .described("none"), .calls, values: .path,
                "A file with an access token, used instead of a key pair; read again when it changes")
        case .caFile:
            Setting(
                self, "path", ClientSetting.caFile.variables, .described("the system's"), .calls, values: .path,
                "PEM file of certificate authorities to trust instead of the system's; read again when it changes")
        case .proxy:
            Setting(
                self, "url", ClientSetting.proxy.variables, .described("none"), .calls,
                "The HTTP proxy for the service; a password is accepted only from the environment")
        case .cacheTTL:
            Setting(
                self, "seconds", ClientSetting.cacheTimeToLive.variables, .seconds(Client.defaultCacheTimeToLive),
                .serving,
                "The maximum age of a cached key; 0 turns the cache off")
        case .staleIfError:
            Setting(
                self, "seconds", ClientSetting.staleIfError.variables, .seconds(Client.defaultStaleIfError), .serving,
                "How much older a cached key may be if the service can't be reached; 0 turns this off")
        case .ratePerKey:
            Setting(
                self, "number", ClientSetting.ratePerKey.variables, .number(Client.defaultRatePerKey), .load,
                "Maximum requests per second for one key; 0 means no limit")
        case .rateTotal:
            Setting(
                self, "number", ClientSetting.totalRate.variables, .number(Client.defaultTotalRate), .load,
                "Maximum requests per second in total; 0 means no limit")
        case .maxConnections:
            Setting(
                self, "number", ClientSetting.maximumConnections.variables, .number(Client.defaultMaximumConnections),
                .load,
                "Maximum connections to the service, and therefore concurrent requests")
        case .maxAttempts:
            Setting(
                self, "number", ClientSetting.maximumAttempts.variables, .number(Client.defaultMaximumAttempts), .calls,
                "Maximum requests for one call, retries included")
        case .shared:
            Setting(
                self, "url", ClientSetting.shared.variables, .described("off"), .load,
                "The Redis or Valkey engine through which processes share one budget: unix:///path, redis:// or rediss://"
            )
        case .sharedKeys:
            Setting(
                self, "mode", ClientSetting.sharedKeys.variables, .text(Shared.Keys.off.rawValue), .load,
                values: .cases(Shared.Keys.self),
                "Whether to share keys, too: off, read (take keys, store none) or on")
        case .sharedUser:
            Setting(
                self, "name", ClientSetting.sharedUser.variables, .text(Shared.defaultUser), .load,
                "The engine's user")
        case .sharedPasswordFile:
            Setting(
                self, "path", ClientSetting.sharedPasswordFile.variables, .described("none"), .load, values: .path,
                "A file with the password of the engine's user; read for each connection")
        case .sharedCAFile:
            Setting(
                self, "path", ClientSetting.sharedCAFile.variables, .described("the system's"), .load, values: .path,
                "PEM file of certificate authorities to trust for the engine instead of the system's")
        case .sharedClientCert:
            Setting(
                self, "path", ClientSetting.sharedClientCertificate.variables, .described("none"), .load,
                values: .path, "PEM file with the client certificate for the engine")
        case .sharedClientKey:
            Setting(
                self, "path", ClientSetting.sharedClientKey.variables, .described("none"), .load, values: .path,
                "PEM file with the private key of the client certificate")
        case .sharedMACFile:
            Setting(
                self, "path", ClientSetting.sharedMACFile.variables, .described("none"), .load, values: .path,
                "A file of at least 32 random bytes that authenticates shared keys, instead of the credentials")
        case .sharedTimeout:
            Setting(
                self, "ms", ClientSetting.sharedTimeout.variables,
                .text(String(Shared.defaultCommandTimeout.milliseconds)), .load,
                "How long the engine may take to answer a command; connecting may take a second with the first answers")
        case .sharedPrefix:
            Setting(
                self, "text", ClientSetting.sharedPrefix.variables, .text(Shared.defaultPrefix), .load,
                "The beginning of all names in the engine")
        case .sharedPlaintext:
            Setting(
                self, nil, ClientSetting.sharedPlaintext.variables, .described("off"), .load,
                "Allow redis:// to another machine, without TLS")
        case .framing:
            Setting(
                self, "name", ["NCLOUD_KMS_FRAMING"], .text(Framing.auto.rawValue), .serving,
                values: .cases(Framing.self),
                "How messages are separated: lines, headers (Content-Length), or auto, which looks at the first line")
        case .maxMessageBytes:
            Setting(
                self, "bytes", ["NCLOUD_KMS_MAX_MESSAGE_BYTES"], .number(1 << 20), .serving,
                "The maximum length of a message")
        case .maxBatch:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_BATCH"], .number(1_000), .serving,
                "The maximum number of batch members")
        case .maxInFlight:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_IN_FLIGHT"], .number(1_024), .serving,
                "Maximum concurrent calls; at the limit nothing is read from stdin")
        case .parentPID:
            Setting(
                self, "pid", [], .described("off"), .serving,
                "Exit when the process with this id ends, even if other processes keep the pipe open")
        case .stdio:
            Setting(
                self, nil, [], .described("off"), .serving,
                "No effect; accepted because editors pass it")
        case .allowDebug:
            Setting(
                self, nil, [], .described("off"), .calls,
                "Allow core dumps and debuggers, which can read the credentials")
        case .noClockCorrection:
            Setting(
                self, nil, [], .described("off"), .calls,
                "Sign with this machine's clock even if the service shows that it is wrong")
        case .logLevel:
            Setting(
                self, "level", ["NCLOUD_KMS_LOG_LEVEL"], .text(Logger.Level.info.rawValue), .calls,
                values: .cases(Logger.Level.self),
                "The least severe level to log: trace, debug, info, notice, warning, error or critical")
        case .logFormat:
            Setting(
                self, "name", ["NCLOUD_KMS_LOG_FORMAT"], .described("text on a terminal, else json"), .calls,
                values: .cases(LogFormat.self), "The form of log lines: text or json")
        }
    }
}

extension Setting.Default {
    fileprivate static func number(_ number: Int) -> Self { .text(String(number)) }

    fileprivate static func seconds(_ duration: Duration) -> Self { .text(String(duration.components.seconds)) }
}
