/// Everything that a client can be told, with its default. Nonsense is refused when it is built, so that nothing after it
/// has to check again.
public struct KMSClientConfiguration: Sendable {
    /// What requests are authenticated with.
    public enum Authentication: Sendable {
        /// Looked for when the first request needs it; the lack of any is that request's failure.
        case lookup(CredentialLookup)
        case credentials(Credentials)
    }

    /// Longer than a day, and a key that was disabled or deleted would be in use for days.
    public static let cacheTimeToLiveRange = Duration.zero...Duration.seconds(86_400)
    /// A week bridges every outage that one would want to sit out.
    public static let staleIfErrorRange = Duration.zero...Duration.seconds(7 * 86_400)
    /// Three thousand times what the service guarantees; above it the intervals vanish in the clock's resolution.
    public static let rateRange = 0...1_000_000
    /// A service of this kind gives one client no more; each takes a descriptor and TLS state.
    public static let connectionsRange = 1...1_024
    /// With more, delays of 20 s each would outlast every deadline.
    public static let attemptsRange = 1...20

    public static let defaultCacheTimeToLive = Duration.seconds(300)
    public static let defaultStaleIfError = Duration.zero
    /// What the service guarantees.
    public static let defaultRatePerKey = 300
    public static let defaultTotalRate = 0
    public static let defaultMaximumConnections = 32
    public static let defaultMaximumAttempts = 3
    public static let defaultUserAgent = "ncloud-kms-swift"

    public let endpoint: Endpoint
    public let authentication: Authentication
    public let cacheTimeToLive: Duration
    public let staleIfError: Duration
    /// Requests a second for each key; 0 for no limit.
    public let ratePerKey: Int
    /// Requests a second for all keys together; 0 for no limit.
    public let totalRate: Int
    public let maximumConnections: Int
    public let maximumAttempts: Int
    /// The certificate authorities to trust in place of the system's. The file is read again whenever it has changed.
    public let caFile: CertificateFile?
    public let proxy: ProxySettings
    public let correctsClock: Bool
    /// What the client calls itself in `User-Agent`: `name/version`.
    public let userAgent: String

    /// - Parameters:
    ///   - cacheTimeToLive: zero keeps nothing.
    ///   - staleIfError: how much longer an expired key stands in when the service can't be asked; zero for never.
    ///   - ratePerKey: requests a second for each key; 0 for no limit.
    ///   - totalRate: requests a second for all keys together; 0 for no limit.
    ///   - maximumAttempts: throttled ones are not counted.
    ///   - correctsClock: whether to sign by the service's clock when this machine's is off.
    /// - Throws: `InvalidValue`, named after the parameter whose value is out of its range.
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
        self.correctsClock = correctsClock
        self.userAgent = userAgent
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

    /// The proxy to the endpoint, nil without one; or why the settings don't say.
    private var proxyToEndpoint: Result<ProxyConfiguration?, InvalidValue> {
        Result { () throws(InvalidValue) in try proxy.proxy(for: endpoint) }
    }

    /// Whether requests to the endpoint go through a proxy.
    package var usesProxy: Bool { (try? proxyToEndpoint.get()) ?? nil != nil }

    var transport: TransportConfiguration {
        // One more for the metadata service, whose answer those who hold the others may be waiting for.
        TransportConfiguration(
            maximumConnections: maximumConnections + 1, caFile: caFile, proxy: proxyToEndpoint,
            userAgent: userAgent)
    }
}
