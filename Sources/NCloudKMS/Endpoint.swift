import KMSPlatform

/// Where a service listens: scheme, host and port, and nothing else. `https`, or plain `http` to this machine itself.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The protocol for talking to the service.
    public enum Scheme: String, Sendable {
        /// Plain HTTP, to this machine only.
        case http
        /// HTTP over TLS.
        case https

        package var defaultPort: UInt16 { self == .https ? 443 : 80 }
    }

    /// `https`, or `http` to this machine.
    public let scheme: Scheme

    /// A name or an address in lower case; an IPv6 address without its brackets.
    public let host: String

    /// The port, even if the URL left it out: 443 for `https`, 80 for `http`.
    public let port: UInt16

    /// RFC 1035, section 3.1, allows 255 bytes on the wire, which are 253 characters of text.
    private static let maximumHostLength = 253
    private static let maximumLabelLength = 63

    init(httpsHost: String) {
        scheme = .https
        host = httpsHost
        port = Scheme.https.defaultPort
    }

    /// Reads `scheme://host[:port]`; a slash at the end, which browsers add, is ignored.
    ///
    /// - Parameter text: the URL; IPv6 addresses in brackets.
    /// - Throws: `InvalidValue` named `endpoint`, whose text never repeats a user name or password from the URL.
    public init(_ text: String) throws(InvalidValue) {
        try self.init(text, name: "endpoint")
    }

    /// - Parameter name: its name in the error.
    package init(_ text: String, name: String) throws(InvalidValue) {
        let endpoint = try Endpoint(anySecurity: text, name: name)
        guard endpoint.scheme == .https || endpoint.isLoopback else {
            throw InvalidValue(
                name, "must use https: plain http is only for this machine itself (127.0.0.0/8, ::1, localhost)")
        }
        self = endpoint
    }

    /// Reads `scheme://host[:port]`; the caller must decide whether plain `http` is acceptable.
    package init(anySecurity text: String, name: String) throws(InvalidValue) {
        let shape = "must be scheme://host or scheme://host:port"
        // Before lower case is made: that turns some letters outside ASCII (U+212A) into plain ones.
        guard text.utf8.allSatisfy(\.isVisibleASCII) else {
            throw InvalidValue(name, "may contain only ASCII characters, and no spaces")
        }
        guard let separator = text.firstRange(of: "://") else {
            throw InvalidValue(name, "\(shape), like https://ocapi.ncloud.com")
        }
        guard let scheme = Scheme(rawValue: text[..<separator.lowerBound].lowercased()) else {
            throw InvalidValue(name, "must begin with https://")
        }
        var authority = text[separator.upperBound...]
        if authority.last == "/" { authority.removeLast() }
        guard !authority.contains("@") else { throw InvalidValue(name, "must not contain a user name or password") }
        if let extra = authority.first(where: { "/?#\\".contains($0) }) {
            throw InvalidValue(name, "\(shape), with nothing after it: remove everything from \"\(extra)\" on")
        }
        let (host, port) = try Self.split(authority, name: name)
        self.scheme = scheme
        self.host = host
        self.port =
            try port.map { port throws(InvalidValue) in try Self.number(port, name: name) }
            ?? scheme.defaultPort
    }

    /// Whether it is this machine itself, by address or as `localhost`.
    public var isLoopback: Bool {
        if host == "localhost" { return true }
        if let address = Self.ipv4Address(host) { return address >> 24 == 127 }
        guard let address = Self.ipv6Address(host) else { return false }
        return address == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Whether it is a link-local address, which routers don't forward: 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC
    /// 4291).
    var isLinkLocal: Bool {
        if let address = Self.ipv4Address(host) { return address >> 16 == 169 << 8 | 254 }
        guard let address = Self.ipv6Address(host) else { return false }
        return address[0] == 0xFE && address[1] & 0xC0 == 0x80
    }

    /// The URL, in one spelling: lower case, no default port.
    public var description: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return port == scheme.defaultPort ? "\(scheme.rawValue)://\(host)" : "\(scheme.rawValue)://\(host):\(port)"
    }

    // MARK: Reading

    private static func split(
        _ authority: Substring, name: String
    ) throws(InvalidValue) -> (host: String, port: Substring?) {
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else {
                throw InvalidValue(name, "has an IPv6 address without its closing bracket")
            }
            let address = authority[authority.index(after: authority.startIndex)..<close].lowercased()
            let rest = authority[authority.index(after: close)...]
            guard ipv6Address(address) != nil else { throw InvalidValue(name, "has a malformed IPv6 address") }
            guard rest.isEmpty || rest.first == ":" else {
                throw InvalidValue(name, "has something other than a port after the IPv6 address")
            }
            return (address, rest.isEmpty ? nil : rest.dropFirst())
        }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let port = parts.count == 2 ? parts[1] : nil
        if let port, port.contains(":") { throw InvalidValue(name, "must have its IPv6 address in brackets") }
        let host = parts[0].lowercased()
        guard isHostName(host) else {
            throw InvalidValue(name, "has a malformed host: use letters, digits, dots and hyphens, or an IP address")
        }
        return (host, port)
    }

    private static func number(_ digits: Substring, name: String) throws(InvalidValue) -> UInt16 {
        guard digits.utf8.allSatisfy(\.isASCIIDigit),
            let port = UInt16(digits), port > 0
        else { throw InvalidValue(name, "must have a port from 1 to 65535") }
        return port
    }

    /// Whether it is a name that DNS or a container network can have, or an IPv4 address with four parts. As in
    /// browsers and libcurl, a last label that looks like a number makes it an address. The short forms (`127.1`) are
    /// then refused: we would check one host, and libcurl would connect to another.
    private static func isHostName(_ host: String) -> Bool {
        guard !host.isEmpty, host.utf8.count <= maximumHostLength else { return false }
        var labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last == "" { labels.removeLast() }
        let arePlain = labels.allSatisfy { label in
            !label.isEmpty && label.utf8.count <= maximumLabelLength && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy(isHostByte)
        }
        guard arePlain, let last = labels.last?.utf8 else { return false }
        let isNumber =
            last.allSatisfy(\.isASCIIDigit) || last.starts(with: "0x".utf8)
        return !isNumber || ipv4Address(host) != nil
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    private static func ipv4Address(_ text: String) -> UInt32? {
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        return UInt32(bigEndian: address.s_addr)
    }

    private static func ipv6Address(_ text: String) -> [UInt8]? {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        return withUnsafeBytes(of: &address) { Array($0) }
    }
}

/// Which of NAVER Cloud's separate services stores the keys.
public enum Zone: String, CaseIterable, Sendable {
    /// Global keys.
    case global = "public"
    /// Keys isolated to Korea.
    case korea = "public-kr"
    /// Keys isolated to Japan.
    case japan = "public-jp"
    /// The government cloud.
    case government = "gov"

    /// The zone with this name.
    ///
    /// - Parameter name: a raw value, in lower case.
    /// - Throws: `InvalidValue` named `zone`.
    public init(named name: String) throws(InvalidValue) {
        if name == "fin" {
            throw InvalidValue(
                "zone", "can't be fin: the financial cloud has no KMS API 2.0, so it can't return public keys")
        }
        guard let zone = Zone(rawValue: name) else {
            let names = Zone.allCases.map(\.rawValue).joined(separator: ", ")
            throw InvalidValue("zone", "must be one of \(names)")
        }
        self = zone
    }

    /// The zone's host.
    public var endpoint: Endpoint {
        switch self {
        case .global: Endpoint(httpsHost: "ocapi.ncloud.com")
        case .korea: Endpoint(httpsHost: "ocapi-kr.ncloud.com")
        case .japan: Endpoint(httpsHost: "ocapi-jp.ncloud.com")
        case .government: Endpoint(httpsHost: "ocapi.gov-ncloud.com")
        }
    }
}
