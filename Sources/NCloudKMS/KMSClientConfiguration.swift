/// TEMPORARY
public struct KMSClientConfiguration: Sendable {
    public var endpoint: Endpoint = Zone.global.endpoint
    public var credentials = CredentialLookup()
    public var caFile: String?
    public var maximumConnections = 32
    public init() {}
    var transport: TransportConfiguration {
        TransportConfiguration(maximumConnections: maximumConnections, caFile: caFile, userAgent: "ncloud-kms-rpc/0.1.0")
    }
}
