/// The settings that all transfers of one `CurlMulti` share.
struct TransportConfiguration: Sendable {
    /// The maximum number of connections, and so of concurrent transfers.
    var maximumConnections = 32

    /// The maximum number of connections to one host, idle ones included; 0: no limit but `maximumConnections`.
    var maximumConnectionsPerHost = 0

    /// The maximum number of streams (`CurlStream`), whose connections don't count as connections of transfers.
    var maximumStreams = 0

    /// The certificate authorities to trust instead of the system's.
    var caFile: CertificateFile?

    /// Nil: no proxy. The variables that libcurl reads by itself are never used. A failure is the failure of every
    /// request that is not direct.
    var proxy: Result<ProxyConfiguration?, InvalidValue>

    /// `ncloud-kms-rpc/VERSION`.
    var userAgent: String
}
