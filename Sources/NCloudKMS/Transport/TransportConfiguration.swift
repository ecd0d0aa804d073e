/// What every transfer of one `CurlMulti` has in common.
struct TransportConfiguration: Sendable {
    /// Connections at once, and so transfers at once (`--max-connections`).
    var maximumConnections = 32

    /// The certificate authorities to trust instead of the system's.
    var caFile: CertificateFile?

    /// nil: no proxy. The variables that libcurl reads by itself are never looked at.
    var proxy: ProxyConfiguration?

    /// `ncloud-kms-rpc/VERSION`.
    var userAgent: String
}
