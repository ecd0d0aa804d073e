import Logging
import NCloudKMS

/// One entry of the configuration. `Setting.all` is the one list of them: flags, environment variables, defaults,
/// `--help`, shell completions, the manual page and the table of `protocol/settings.md` all come from it.
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
        package var flag: String { "--\(rawValue)" }

        /// What else the flag is called, as other programs call it; without the dashes.
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

    /// What it acts on, which decides whose help lists it. All commands accept all settings.
    package enum Scope: Sendable {
        /// Every call.
        case calls
        /// Several calls at once.
        case load
        /// A process that serves: its cache and its wire.
        case serving
    }

    /// What holds when neither the flag nor a variable is given.
    enum Default: Sendable {
        /// The same as if this text was given.
        case text(String)
        /// What no text stands for, in words.
        case described(String)
    }

    /// What its value can be, as far as a shell can complete it.
    package enum Values: Equatable, Sendable {
        case words([String])
        case path
        /// Numbers, names and URLs.
        case any
    }

    package let name: Name
    /// What the value is called in help; nil for a flag that takes none.
    package let valueName: String?
    package let values: Values
    /// The environment variables that stand in for the flag; the first that is set and not empty counts.
    package let variables: [String]
    let defaultValue: Default
    package let scope: Scope
    /// A sentence without its full stop.
    package let help: String

    /// The entry of that name.
    package static subscript(_ name: Name) -> Setting { name.setting }

    /// In the order of the help page, which is that of the names.
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
        typealias Framing = ProgramConfiguration.FramingName
        return switch self {
        case .endpoint:
            Setting(
                self, "url", ["NCLOUD_KMS_ENDPOINT"], .described("the zone's host"), .calls,
                "The service's base URL: scheme, host and port; https, or http to this machine itself")
        case .zone:
            Setting(
                self, "name", ["NCLOUD_KMS_ZONE"], .text(Zone.global.rawValue), .calls, values: .cases(Zone.self),
                "Where the keys are: public, public-kr, public-jp or gov")
        case .profile:
            Setting(
                self, "name", [CredentialLookup.profileVariable], .described("DEFAULT"), .calls,
                "The section of the profile file that holds the credentials")
        case .configFile:
            Setting(
                self, "path", [CredentialLookup.configurationFileVariable], .described("~/.ncloud/configure"), .calls,
                values: .path, "The profile file")
        case .tokenFile:
            Setting(
                self, "path", [CredentialLookup.tokenFileVariable], .described("none"), .calls, values: .path,
                "A file that holds an access token, instead of a key pair; read again when it changes")
        case .caFile:
            Setting(
                self, "path", ["NCLOUD_KMS_CA_FILE"], .described("the system's"), .calls, values: .path,
                "PEM file of certificate authorities to trust instead of the system's; read again when it changes")
        case .proxy:
            Setting(
                self, "url", ["NCLOUD_KMS_PROXY", "HTTPS_PROXY", "https_proxy"], .described("none"), .calls,
                "The HTTP proxy to the service; a password in it is taken from the environment only")
        case .cacheTTL:
            Setting(
                self, "seconds", ["NCLOUD_KMS_CACHE_TTL"], .seconds(Client.defaultCacheTimeToLive), .serving,
                "How old a cached key may get; 0 keeps nothing")
        case .staleIfError:
            Setting(
                self, "seconds", ["NCLOUD_KMS_STALE_IF_ERROR"], .seconds(Client.defaultStaleIfError), .serving,
                "How much older a cached key may be when the service can't be reached; 0 is off")
        case .ratePerKey:
            Setting(
                self, "number", ["NCLOUD_KMS_RATE_PER_KEY"], .number(Client.defaultRatePerKey), .load,
                "Requests a second for one key; 0 is no limit")
        case .rateTotal:
            Setting(
                self, "number", ["NCLOUD_KMS_RATE_TOTAL"], .number(Client.defaultTotalRate), .load,
                "Requests a second in all; 0 is no limit")
        case .maxConnections:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_CONNECTIONS"], .number(Client.defaultMaximumConnections), .load,
                "Connections to the service, so requests to it at once")
        case .maxAttempts:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_ATTEMPTS"], .number(Client.defaultMaximumAttempts), .calls,
                "Requests for one call, retries included")
        case .framing:
            Setting(
                self, "name", ["NCLOUD_KMS_FRAMING"], .text(Framing.auto.rawValue), .serving,
                values: .cases(Framing.self),
                "How messages are told apart: lines, headers (Content-Length), or auto, by the first line")
        case .maxMessageBytes:
            Setting(
                self, "bytes", ["NCLOUD_KMS_MAX_MESSAGE_BYTES"], .number(1 << 20), .serving,
                "The longest message that is read")
        case .maxBatch:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_BATCH"], .number(1_000), .serving, "The most members of a batch")
        case .maxInFlight:
            Setting(
                self, "number", ["NCLOUD_KMS_MAX_IN_FLIGHT"], .number(1_024), .serving,
                "Calls at once; beyond that nothing is read from stdin")
        case .parentPID:
            Setting(
                self, "pid", [], .described("off"), .serving,
                "End when that process ends, for hosts whose pipe others hold open too")
        case .stdio:
            Setting(
                self, nil, [], .described("off"), .serving,
                "Accepted, as editors' clients pass it, and means nothing: it always speaks on stdin and stdout")
        case .allowDebug:
            Setting(
                self, nil, [], .described("off"), .calls,
                "Allow core dumps and debuggers, which can read the credentials")
        case .noClockCorrection:
            Setting(
                self, nil, [], .described("off"), .calls,
                "Sign with this machine's clock even when the service shows that it is wrong")
        case .logLevel:
            Setting(
                self, "level", ["NCLOUD_KMS_LOG_LEVEL"], .text(Logger.Level.info.rawValue), .calls,
                values: .cases(Logger.Level.self),
                "trace, debug, info, notice, warning, error or critical")
        case .logFormat:
            Setting(
                self, "name", ["NCLOUD_KMS_LOG_FORMAT"], .described("text on a terminal, else json"), .calls,
                values: .cases(LogFormat.self), "text or json")
        }
    }
}

extension Setting.Default {
    fileprivate static func number(_ number: Int) -> Self { .text(String(number)) }

    fileprivate static func seconds(_ duration: Duration) -> Self { .text(String(duration.components.seconds)) }
}
