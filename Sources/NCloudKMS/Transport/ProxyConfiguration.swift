import CKMSLibcurl

/// The proxy for requests to the service. It prints as `<redacted>`, because its URL may contain a password.
public struct ProxyConfiguration: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The proxy protocols that we allow libcurl to use: all of them pass TLS to the service through unchanged.
    static let schemes = ["http", "https", "socks5", "socks5h"]

    package let url: String

    /// Whether the URL contains a user name or a password.
    public let hasUserInfo: Bool

    /// Whether the connection to the proxy itself uses TLS, so that the proxy has a certificate of its own.
    let speaksTLS: Bool

    /// A name or an address.
    let host: String
    /// If the URL has no port, the one that libcurl uses.
    private let port: String

    /// Reads the URL of a proxy.
    ///
    /// - Parameter url: `[scheme://][user:password@]host[:port]`; the scheme is `http`, `https`, `socks5` or `socks5h`.
    ///   Without a scheme it is `http`, and without a port 1080, or 443 for `https`.
    /// - Throws: `InvalidValue` named `proxy`, which never repeats any part of the URL.
    public init(url: String) throws(InvalidValue) {
        try self.init(url: url, name: "proxy")
    }

    /// - Parameter name: its name in the error.
    package init(url: String, name: String) throws(InvalidValue) {
        // The usual cause where there is a password.
        let advice =
            url.utf8.contains(UInt8(ascii: "@"))
            ? "; in a user name or password write @ as %40, : as %3A, / as %2F, # as %23, and a space as %20" : ""
        let invalid = InvalidValue(
            name, "must be scheme://host:port, with a scheme of \(Self.schemes.joined(separator: ", "))\(advice)")
        guard let parts = curl_url() else { throw invalid }
        defer { curl_url_cleanup(parts) }
        // By bytes, as libcurl reads it: a combining character after the slashes is a part of the last one for `String`.
        let absolute = url.utf8.firstRange(of: "://".utf8) != nil ? url : "http://" + url
        guard curl_url_set(parts, CURLUPART_URL, absolute, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK,
            let scheme = Self.part(CURLUPART_SCHEME, of: parts), Self.schemes.contains(scheme.lowercased()),
            let host = Self.part(CURLUPART_HOST, of: parts), !host.isEmpty,
            Self.part(CURLUPART_PATH, of: parts) ?? "/" == "/",
            Self.part(CURLUPART_QUERY, of: parts) == nil, Self.part(CURLUPART_FRAGMENT, of: parts) == nil
        else { throw invalid }
        self.url = absolute
        self.host = host
        speaksTLS = scheme.lowercased() == "https"
        port = Self.part(CURLUPART_PORT, of: parts) ?? (speaksTLS ? "443" : "1080")
        hasUserInfo = Self.part(CURLUPART_USER, of: parts) != nil || Self.part(CURLUPART_PASSWORD, of: parts) != nil
    }

    /// `<redacted>`.
    public var description: String { "<redacted>" }
    /// `<redacted>`.
    public var debugDescription: String { description }
    /// Has no children.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Whether one of libcurl's texts names the proxy as the host that it could not connect to.
    func isNamed(in text: String) -> Bool {
        // A URL has an IPv6 address in brackets, libcurl's texts have it without.
        let address = host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host[...]
        let name = "connect to \(address) port \(port)"
        guard let end = text.utf8.firstRange(of: name.utf8)?.upperBound else { return false }
        // Port 80 is not port 8080.
        return text.utf8[end...].first.map { !$0.isASCIIDigit } ?? true
    }

    private static func part(_ part: CURLUPart, of parts: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parts, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}

/// The proxy for requests to the service, and the hosts that are reached without it.
public struct ProxySettings: Sendable {
    /// Nil: none. A malformed value fails only the calls that would use it, because it may come from a variable that
    /// other programs share.
    package let proxy: Result<ProxyConfiguration, InvalidValue>?
    /// The hosts that are reached without the proxy.
    public let exceptions: ProxyExceptions
    /// The name of the list of exceptions in an error: `NO_PROXY`.
    private let exceptionsName: String

    /// Creates settings with a proxy for all hosts except some.
    ///
    /// - Parameters:
    ///   - proxy: the proxy.
    ///   - exceptions: the hosts that are reached without it. A service on this machine always is.
    public init(_ proxy: ProxyConfiguration, exceptions: ProxyExceptions = ProxyExceptions()) {
        self.init(.success(proxy), exceptions: exceptions)
    }

    package init(
        _ proxy: Result<ProxyConfiguration, InvalidValue>?, exceptions: ProxyExceptions = ProxyExceptions(),
        exceptionsName: String = "NO_PROXY"
    ) {
        self.proxy = proxy
        self.exceptions = exceptions
        self.exceptionsName = exceptionsName
    }

    /// No proxy.
    public static let none = ProxySettings(nil as Result<ProxyConfiguration, InvalidValue>?)

    /// The proxy for a service; nil if it is reached directly, as a service on this machine always is.
    ///
    /// - Throws: `InvalidValue` if that can't be determined.
    package func proxy(for endpoint: Endpoint) throws(InvalidValue) -> ProxyConfiguration? {
        guard let proxy, !endpoint.isLoopback else { return nil }
        switch exceptions.verdict(host: endpoint.host, port: endpoint.port) {
        case .listed: return nil
        case .notListed: return try proxy.get()
        case .undecidable(let entry):
            throw InvalidValue(
                exceptionsName,
                "has the entry \(entry), which is not a valid address, network or port, so it is unclear whether "
                    + "\(endpoint.host) should be reached through the proxy")
        }
    }
}
