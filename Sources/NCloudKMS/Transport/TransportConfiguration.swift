/// What every transfer of one `CurlMulti` has in common.
struct TransportConfiguration: Sendable {
    /// Connections at once, and so transfers at once (`--max-connections`).
    var maximumConnections = 32

    /// PEM file of the certificate authorities to trust instead of the system's (`--ca-file`).
    var caFile: String?

    /// nil: no proxy. The variables that libcurl reads by itself are never looked at.
    var proxy: Proxy?

    /// `ncloud-kms-rpc/VERSION`.
    var userAgent: String

    struct Proxy: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
        /// `http`, `https`, `socks5` or `socks5h`, host, port, and user and password if need be.
        let url: String

        /// Hosts and domains to reach directly, separated by commas, as `NO_PROXY` lists them; `*` is every host.
        let exceptions: String

        init(url: String, exceptions: String = "") {
            self.url = url
            self.exceptions = exceptions
        }

        // The URL may hold a password.
        var description: String { "<redacted>" }
        var debugDescription: String { description }
        var customMirror: Mirror { Mirror(self, children: []) }
    }
}
