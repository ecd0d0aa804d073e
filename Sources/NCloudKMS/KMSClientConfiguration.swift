/// What a client is made with. The defaults are those of `protocol/`, section Configuration.
public struct KMSClientConfiguration: Sendable {
    /// The service, or a stand-in for it.
    public var endpoint: Endpoint
    /// Where the credentials are looked for.
    public var credentials = CredentialLookup()
    /// A PEM file of certificate authorities to trust instead of the system's.
    public var caFile: String?
    public var proxy: ProxyConfiguration?
    /// How old a cached key may get; zero keeps nothing.
    public var cacheTTL = Duration.seconds(300)
    /// How much older a cached key may be that answers when the service can't be asked; zero is off.
    public var staleIfError = Duration.zero
    /// Requests a second for one key; 0 is no limit.
    public var ratePerKey = RateLimiter.defaultRatePerKey
    /// Requests a second in all; 0 is no limit.
    public var totalRate = 0
    /// Connections, and so requests at once.
    public var maximumConnections = 32
    /// Requests for one call, those that were throttled not counted.
    public var maximumAttempts = RetryPolicy.defaultMaximumAttempts
    /// Whether signatures use the service's clock when it shows that this machine's is wrong.
    public var correctsClock = true
    /// What the client calls itself in `User-Agent`: `name/version`.
    public var userAgent: String

    public init(endpoint: Endpoint = Zone.global.endpoint, userAgent: String) {
        self.endpoint = endpoint
        self.userAgent = userAgent
    }

    /// Refuses what makes no sense.
    ///
    /// - Throws: `InvalidValue` named after the member.
    func verify() throws(InvalidValue) {
        guard maximumConnections > 0 else { throw InvalidValue("maximumConnections", "must be at least 1") }
        guard maximumAttempts > 0 else { throw InvalidValue("maximumAttempts", "must be at least 1") }
        guard ratePerKey >= 0, totalRate >= 0 else { throw InvalidValue("rate", "must not be negative") }
        guard cacheTTL >= .zero, staleIfError >= .zero else { throw InvalidValue("cacheTTL", "must not be negative") }
    }

    var transport: TransportConfiguration {
        TransportConfiguration(
            maximumConnections: maximumConnections, caFile: caFile, proxy: proxy, userAgent: userAgent)
    }
}
