/// The settings of a client. The initialisers check every value.
///
/// ```swift
/// let fromVariables = try KMSClientConfiguration(environment: .process)
/// let ownValues = try KMSClientConfiguration(endpoint: Zone.korea.endpoint, cacheTimeToLive: .seconds(60))
/// ```
public struct KMSClientConfiguration: Sendable {
    /// What requests are authenticated with.
    public enum Authentication: Sendable {
        /// Credentials that the client looks up when the first request needs them. If there are none, that request fails.
        case lookup(CredentialLookup)
        /// These credentials and no others.
        case credentials(Credentials)
    }

    /// Up to a day, so that a disabled or deleted key is not used for days.
    public static let cacheTimeToLiveRange = Duration.zero...Duration.seconds(86_400)
    /// Up to a week, longer than any outage is likely to last.
    public static let staleIfErrorRange = Duration.zero...Duration.seconds(7 * 86_400)
    /// Up to a million requests a second, three thousand times what the service guarantees; with more, the intervals
    /// would be too short for the clock's resolution.
    public static let rateRange = 0...1_000_000
    /// Up to 1,024. Each connection takes a descriptor and memory for TLS.
    public static let connectionsRange = 1...1_024
    /// Up to 20. With more, delays of 20 s each would outlast any timeout.
    public static let attemptsRange = 1...20

    /// Five minutes.
    public static let defaultCacheTimeToLive = Duration.seconds(300)
    /// Never.
    public static let defaultStaleIfError = Duration.zero
    /// 300 requests a second, what the service guarantees.
    public static let defaultRatePerKey = 300
    /// No limit.
    public static let defaultTotalRate = 0
    /// 32 connections.
    public static let defaultMaximumConnections = 32
    /// Three attempts.
    public static let defaultMaximumAttempts = 3
    /// `ncloud-kms-swift`.
    public static let defaultUserAgent = "ncloud-kms-swift"

    /// Where the service listens.
    public let endpoint: Endpoint
    /// How requests are authenticated.
    public let authentication: Authentication
    /// How long a key is cached.
    public let cacheTimeToLive: Duration
    /// How long an expired key may still be used if the service can't be reached.
    public let staleIfError: Duration
    /// The maximum requests per second for each key; 0 for no limit.
    public let ratePerKey: Int
    /// The maximum requests per second for all keys together; 0 for no limit.
    public let totalRate: Int
    /// The maximum number of connections to the service, and therefore of concurrent requests.
    public let maximumConnections: Int
    /// The maximum number of attempts for one call, including retries; throttled attempts don't count.
    public let maximumAttempts: Int
    /// The certificate authorities to trust instead of the system's. The client rereads the file when it changes.
    public let caFile: CertificateFile?
    /// The proxy for requests to the service.
    public let proxy: ProxySettings
    /// The engine through which processes share one budget and their keys; nil for none.
    public let shared: SharedStateConfiguration?
    /// Whether to sign with the service's time when this machine's clock is wrong.
    public let correctsClock: Bool
    /// The `User-Agent` of requests: `name/version`.
    public let userAgent: String

    /// Creates a configuration from values of your own; the others have their defaults.
    ///
    /// It reads no environment variable, except through the default `authentication`. A client that should find
    /// `ncloud-kms-emulator`, or behave like the program `ncloud-kms-rpc`, needs `init(environment:userAgent:)` instead.
    ///
    /// - Parameters:
    ///   - endpoint: where the service listens, such as `Zone.korea.endpoint` for keys isolated to Korea.
    ///   - authentication: what requests are authenticated with.
    ///   - cacheTimeToLive: how long a key is cached; zero caches nothing.
    ///   - staleIfError: how long an expired key may still be used if the service can't be reached; zero for never.
    ///   - ratePerKey: the maximum requests per second for each key; 0 for no limit.
    ///   - totalRate: the maximum requests per second for all keys together; 0 for no limit.
    ///   - maximumConnections: the maximum number of connections to the service, and therefore of concurrent requests.
    ///   - maximumAttempts: the maximum number of attempts for one call, including retries; throttled attempts don't
    ///     count.
    ///   - caFile: the certificate authorities to trust instead of the system's.
    ///   - proxy: the proxy for requests to the service.
    ///   - shared: the engine through which processes share one budget and their keys; nil for none.
    ///   - correctsClock: whether to sign with the service's time when this machine's clock is wrong.
    ///   - userAgent: the `User-Agent` of requests: `name/version`.
    /// - Throws: `InvalidValue`, named after the parameter whose value is out of range.
    public init(
        endpoint: Endpoint = Zone.global.endpoint,
        authentication: Authentication = .lookup(CredentialLookup()),
        cacheTimeToLive: Duration = defaultCacheTimeToLive,
        staleIfError: Duration = defaultStaleIfError,
        ratePerKey: Int = defaultRatePerKey,
        totalRate: Int = defaultTotalRate,
        maximumConnections: Int = defaultMaximumConnections,
        maximumAttempts: Int = defaultMaximumAttempts,
        caFile: CertificateFile? = nil,
        proxy: ProxySettings = .none,
        shared: SharedStateConfiguration? = nil,
        correctsClock: Bool = true,
        userAgent: String = defaultUserAgent
    ) throws(InvalidValue) {
        try Self.check("cacheTimeToLive", cacheTimeToLive, in: Self.cacheTimeToLiveRange)
        try Self.check("staleIfError", staleIfError, in: Self.staleIfErrorRange)
        try Self.check("ratePerKey", ratePerKey, in: Self.rateRange)
        try Self.check("totalRate", totalRate, in: Self.rateRange)
        try Self.check("maximumConnections", maximumConnections, in: Self.connectionsRange)
        try Self.check("maximumAttempts", maximumAttempts, in: Self.attemptsRange)
        self.endpoint = endpoint
        self.authentication = authentication
        self.cacheTimeToLive = cacheTimeToLive
        self.staleIfError = staleIfError
        self.ratePerKey = ratePerKey
        self.totalRate = totalRate
        self.maximumConnections = maximumConnections
        self.maximumAttempts = maximumAttempts
        self.caFile = caFile
        self.proxy = proxy
        self.shared = shared
        self.correctsClock = correctsClock
        self.userAgent = userAgent
    }

    /// Creates a configuration from environment variables, with the rules of the program `ncloud-kms-rpc`. A command
    /// that `ncloud-kms-emulator` runs finds the emulator this way. Settings without a variable have their defaults.
    ///
    /// - `NCLOUD_KMS_ENDPOINT`, or `NCLOUD_KMS_ZONE`: where the service is.
    /// - `NCLOUD_ACCESS_KEY_ID` and `NCLOUD_SECRET_ACCESS_KEY`, `NCLOUD_KMS_TOKEN`, `NCLOUD_KMS_TOKEN_FILE`, or
    ///   `NCLOUD_PROFILE` and `NCLOUD_CONFIG_FILE`: the credentials, looked up when the first request needs them.
    /// - `NCLOUD_KMS_CA_FILE`: the authorities to trust.
    /// - `NCLOUD_KMS_PROXY`, else `HTTPS_PROXY` or `https_proxy`, with `NO_PROXY` or `no_proxy`: the proxy.
    /// - `NCLOUD_KMS_CACHE_TTL` and `NCLOUD_KMS_STALE_IF_ERROR`: in seconds.
    /// - `NCLOUD_KMS_RATE_PER_KEY` and `NCLOUD_KMS_RATE_TOTAL`: requests a second.
    /// - `NCLOUD_KMS_MAX_CONNECTIONS` and `NCLOUD_KMS_MAX_ATTEMPTS`.
    /// - `NCLOUD_KMS_SHARED` and the variables that begin with it: the engine through which processes share.
    ///
    /// - Parameters:
    ///   - environment: `.process`, or variables of your own.
    ///   - userAgent: the `User-Agent` of requests: `name/version`.
    /// - Throws: `InvalidValue`, named after the variable whose value is unusable.
    public init(
        environment: EnvironmentVariables, userAgent: String = defaultUserAgent
    ) throws(InvalidValue) {
        do {
            self = try ClientSettingReader(environment: environment).configuration(userAgent: userAgent)
        } catch {
            throw error.invalid
        }
    }

    private static func check(_ name: String, _ value: Int, in range: ClosedRange<Int>) throws(InvalidValue) {
        guard range.contains(value) else {
            throw InvalidValue(name, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func check(
        _ name: String, _ value: Duration, in range: ClosedRange<Duration>
    ) throws(InvalidValue) {
        guard range.contains(value) else {
            throw InvalidValue(
                name,
                "must be from \(range.lowerBound.components.seconds) to \(range.upperBound.components.seconds) seconds")
        }
    }

    /// The proxy for the endpoint, nil if there is none; or why the settings don't determine it.
    private var proxyToEndpoint: Result<ProxyConfiguration?, InvalidValue> {
        Result { () throws(InvalidValue) in try proxy.proxy(for: endpoint) }
    }

    /// Whether requests to the endpoint go through a proxy.
    package var usesProxy: Bool { (try? proxyToEndpoint.get()) ?? nil != nil }

    var transport: TransportConfiguration {
        // One more for the metadata service, whose answer those who hold the others may be waiting for. A request that
        // needs a new connection must not make it one more for the service, beside its idle ones.
        TransportConfiguration(
            maximumConnections: maximumConnections + 1, maximumConnectionsPerHost: maximumConnections,
            maximumStreams: shared == nil ? 0 : 1, caFile: caFile, proxy: proxyToEndpoint, userAgent: userAgent)
    }
}
