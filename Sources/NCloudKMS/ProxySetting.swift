/// A proxy between this machine and the service, and whom to reach without it. It prints as `<redacted>`, because the
/// URL may hold a password.
public struct ProxySetting: Hashable, Sendable {
    package static let variables = ["NCLOUD_KMS_PROXY", "HTTPS_PROXY", "https_proxy"]
    package static let exceptionVariables = ["NO_PROXY", "no_proxy"]
    private static let schemes = ["http", "https", "socks5", "socks5h"]

    /// As libcurl takes it, with a scheme.
    package let url: String

    /// Hosts and domains, separated by commas; `*` for all.
    package let exceptions: String

    /// - Parameters:
    ///   - url: `[scheme://][user:password@]host[:port]`; without a scheme it is `http`.
    ///   - exceptions: hosts and domains to reach directly, separated by commas; `*` for all.
    ///   - name: what the error calls it.
    /// - Throws: `InvalidValue`; never with the URL's text.
    public init(url: String, exceptions: String = "", name: String = "proxy") throws(InvalidValue) {
        let parts = url.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        let scheme = parts.count == 2 ? parts[0].lowercased() : "http"
        guard Self.schemes.contains(scheme) else {
            throw InvalidValue(name, "must begin with one of \(Self.schemes.joined(separator: ", ")), and ://")
        }
        var rest = parts.last ?? ""
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let host = rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw InvalidValue(name, "may hold only ASCII characters, and no spaces")
        }
        _ = try Endpoint(anySecurity: "http://\(host)", name: name)
        self.url = "\(scheme)://\(rest)"
        self.exceptions = exceptions
    }

    /// The proxy that the flag or the environment names (02-wire-protocol.md, Configuration); nil for none. An empty
    /// flag means none, whatever the environment says.
    ///
    /// - Throws: `InvalidValue` named `proxy` or after the variable. A password belongs into the environment: everybody
    ///   on this machine can read a command line.
    public static func find(flag: String?, environment: EnvironmentVariables) throws(InvalidValue) -> ProxySetting? {
        let exceptions = environment.first(of: exceptionVariables)?.value ?? ""
        if let flag {
            guard !flag.contains("@") else {
                throw InvalidValue("proxy", "must not hold a user or password: set NCLOUD_KMS_PROXY instead")
            }
            return flag.isEmpty ? nil : try ProxySetting(url: flag, exceptions: exceptions)
        }
        guard let variable = environment.first(of: variables) else { return nil }
        return try ProxySetting(url: variable.value, exceptions: exceptions, name: variable.name)
    }
}

extension ProxySetting: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<redacted>" }
    public var debugDescription: String { "<redacted>" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
