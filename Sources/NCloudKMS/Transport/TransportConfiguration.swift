/// What every transfer of one `CurlMulti` has in common.
struct TransportConfiguration: Sendable {
    /// Connections at once, and so transfers at once.
    var maximumConnections = 32

    /// The certificate authorities to trust instead of the system's.
    var caFile: CertificateFile?

    /// nil: no proxy. The variables that libcurl reads by itself are never looked at. A failure is that of every request
    /// which is not direct.
    var proxy: Result<ProxyConfiguration?, InvalidValue>

    /// `ncloud-kms-rpc/VERSION`.
    var userAgent: String
}
