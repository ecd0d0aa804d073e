/// TEMPORARY
public struct KMSClientConfiguration: Sendable {
    public var endpoint: Endpoint = Zone.global.endpoint
    public var credentials = CredentialLookup()
    public var caFile: String?
    public var maximumConnections = 32
    public var maximumAttempts = 3
    public var ratePerKey = 300
    public var totalRate = 0
    public var correctsClock = true
    public init() {}
    var transport: TransportConfiguration {
        TransportConfiguration(maximumConnections: maximumConnections, caFile: caFile, userAgent: "ncloud-kms-rpc/0.1.0")
    }
}
