import KMSPlatform

/// Where the shared engine, a Redis or Valkey server, listens.
public struct EngineAddress: Sendable, Hashable, CustomStringConvertible {
    enum Place: Hashable, Sendable {
        case socket(path: String)
        /// An IPv6 address is without its brackets.
        case host(String, port: UInt16, isLoopback: Bool, usesTLS: Bool)
    }

    /// The port of Redis and Valkey.
    public static let defaultPort: UInt16 = 6_379

    /// The longest path in a socket's address (unix(7)), without its terminator.
    private static let longestPath = 107

    let place: Place

    /// Reads `unix:///path`, `redis://host[:port]` or `rediss://host[:port]`, which is `redis` over TLS. Without a port
    /// it is 6379.
    ///
    /// - Parameter url: IPv6 addresses in brackets. A user, password, database or query is refused.
    /// - Throws: `InvalidValue` named `shared`, whose text never repeats a user name or password that the URL held.
    public init(_ url: String) throws(InvalidValue) {
        try self.init(url, name: "shared")
    }

    /// - Parameter name: what the error calls it.
    package init(_ url: String, name: String) throws(InvalidValue) {
        let shape = "must be unix:///PATH, redis://HOST[:PORT] or rediss://HOST[:PORT]"
        guard url.utf8.allSatisfy(\.isVisibleASCII) else {
            throw InvalidValue(name, "may hold only ASCII characters, and no spaces")
        }
        guard let separator = url.firstRange(of: "://") else { throw InvalidValue(name, shape) }
        let rest = String(url[separator.upperBound...])
        switch url[..<separator.lowerBound].lowercased() {
        case "unix": place = try Self.socket(rest, name: name)
        case "redis": place = try Self.host(rest, usesTLS: false, name: name)
        case "rediss": place = try Self.host(rest, usesTLS: true, name: name)
        default: throw InvalidValue(name, shape)
        }
    }

    private static func socket(_ path: String, name: String) throws(InvalidValue) -> Place {
        guard path.hasPrefix("/"), path.utf8.count > 1, !path.hasSuffix("/") else {
            throw InvalidValue(name, "must hold an absolute path of a socket: unix:///PATH")
        }
        guard !path.contains("?"), !path.contains("#") else {
            throw InvalidValue(name, "must have nothing after the path of the socket")
        }
        guard path.utf8.count <= longestPath else {
            throw InvalidValue(name, "must hold a path of at most \(longestPath) bytes")
        }
        return .socket(path: path)
    }

    private static func host(_ authority: String, usesTLS: Bool, name: String) throws(InvalidValue) -> Place {
        // Read as an endpoint, whose default is another port.
        let bare = authority.hasSuffix("/") ? authority.dropLast() : authority[...]
        let afterAddress = bare.lastIndex(of: "]").map { bare[$0...] } ?? bare
        let lacksPort = !afterAddress.contains(":") && !bare.contains("/") && !bare.contains("@")
        let endpoint = try Endpoint(
            anySecurity: "https://" + (lacksPort ? "\(bare):\(defaultPort)" : authority), name: name)
        return .host(endpoint.host, port: endpoint.port, isLoopback: endpoint.isLoopback, usesTLS: usesTLS)
    }

    /// Whether the connection is encrypted.
    public var usesTLS: Bool {
        if case .host(_, _, _, let usesTLS) = place { usesTLS } else { false }
    }

    /// Whether it is plain TCP to a host that is not this machine by its address or name (127.0.0.0/8, ::1, localhost).
    public var isPlaintextToAnotherMachine: Bool {
        if case .host(_, _, let isLoopback, let usesTLS) = place { !usesTLS && !isLoopback } else { false }
    }

    /// The URL, in one spelling: lower case, with its port.
    public var description: String {
        switch place {
        case .socket(let path): "unix://\(path)"
        case .host(let host, let port, _, let usesTLS):
            "\(usesTLS ? "rediss" : "redis")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Whom a stream connects to.
    ///
    /// - Parameter identity: the client's certificate for TLS.
    func peer(identity: CurlStream.Peer.Identity?) -> CurlStream.Peer {
        switch place {
        case .socket(let path):
            CurlStream.Peer(
                name: description, url: "http://localhost", socketPath: path, usesTLS: false, identity: nil)
        case .host(let host, let port, _, let usesTLS):
            CurlStream.Peer(
                name: description,
                url: "\(usesTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)",
                socketPath: nil, usesTLS: usesTLS, identity: usesTLS ? identity : nil)
        }
    }
}
