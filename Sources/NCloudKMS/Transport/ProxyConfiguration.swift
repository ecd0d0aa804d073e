import CLibcurl

/// The proxy in front of the service. It prints as `<redacted>`, as its URL may hold a password.
public struct ProxyConfiguration: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What libcurl can speak to a proxy and we let it: all of these carry TLS to the service untouched.
    static let schemes = ["http", "https", "socks5", "socks5h"]

    package let url: String

    /// Hosts and domains to reach directly, separated by commas, as `NO_PROXY` lists them; `*` is every host.
    package let exceptions: String

    /// Whether the URL holds a user name or a password.
    public let hasUserInfo: Bool

    /// Whether the proxy itself is spoken to by TLS, and so has a certificate of its own.
    let speaksTLS: Bool

    private let host: String
    private let port: String?

    /// - Parameters:
    ///   - url: `[scheme://][user:password@]host[:port]`; without a scheme it is `http`, and without a port 1080, or
    ///     443 for `https`.
    ///   - exceptions: as `NO_PROXY` has them.
    /// - Throws: `InvalidValue` named `proxy`, which repeats nothing of the URL.
    public init(url: String, exceptions: String = "") throws(InvalidValue) {
        let invalid = InvalidValue(
            "proxy", "must be scheme://host:port, with a scheme of \(Self.schemes.joined(separator: ", "))")
        guard let parts = curl_url() else { throw invalid }
        defer { curl_url_cleanup(parts) }
        let absolute = url.contains("://") ? url : "http://" + url
        guard curl_url_set(parts, CURLUPART_URL, absolute, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK,
            let scheme = Self.part(CURLUPART_SCHEME, of: parts), Self.schemes.contains(scheme.lowercased()),
            let host = Self.part(CURLUPART_HOST, of: parts), !host.isEmpty,
            Self.part(CURLUPART_PATH, of: parts) ?? "/" == "/",
            Self.part(CURLUPART_QUERY, of: parts) == nil, Self.part(CURLUPART_FRAGMENT, of: parts) == nil
        else { throw invalid }
        self.url = absolute
        self.exceptions = exceptions
        self.host = host
        speaksTLS = scheme.lowercased() == "https"
        port = Self.part(CURLUPART_PORT, of: parts)
        hasUserInfo = Self.part(CURLUPART_USER, of: parts) != nil || Self.part(CURLUPART_PASSWORD, of: parts) != nil
    }

    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Whether one of libcurl's texts says that it is the proxy to which there was no connection.
    func isNamed(in text: String) -> Bool {
        text.contains("connect to \(host) port \(port ?? "")")
    }

    private static func part(_ part: CURLUPart, of parts: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parts, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
