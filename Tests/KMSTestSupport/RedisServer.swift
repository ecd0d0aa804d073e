import KMSPlatform

/// A Redis or Valkey server for one test, on a Unix socket in a temporary folder, or also on a loopback port with TLS. It stores
/// nothing, and ends with this object.
package final class RedisServer: Sendable {
    /// What it runs. Debian has Valkey only since version 13.
    package enum Kind: String, CaseIterable, Sendable {
        case redis
        case valkey

        package var program: String { "/usr/bin/\(rawValue)-server" }
        package var isInstalled: Bool { access(program, X_OK) == 0 }
        fileprivate var client: String { "/usr/bin/\(rawValue)-cli" }
    }

    private let kind: Kind

    private let directory: TemporaryDirectory
    private let arguments: [String]
    private let process: Lock<ChildProcess>

    /// With TLS; 0 without.
    package let port: UInt16
    package var socket: String { directory.path("redis.sock") }
    package var url: String { "unix://\(socket)" }

    /// - Parameters:
    ///   - options: more of its options: `["--requirepass", "x"]`.
    ///   - identity: for TLS; nil: the Unix socket alone.
    ///   - clientAuthority: with TLS, the authority whose certificates clients must have; nil: they need none.
    package init(
        _ options: [String] = [], kind: Kind = .redis, identity: TestAuthority.Identity? = nil,
        clientAuthority: TestAuthority? = nil
    ) throws {
        self.kind = kind
        directory = try TemporaryDirectory()
        let common =
            ["--unixsocket", directory.path("redis.sock"), "--dir", directory.path, "--save", "", "--appendonly", "no"]
            + options
        guard let identity else {
            port = 0
            arguments = ["--port", "0"] + common
            process = Lock(try Self.start(kind, arguments))
            return
        }
        let tls =
            ["--tls-cert-file", identity.certificate, "--tls-key-file", identity.key]
            + ["--tls-ca-cert-file", clientAuthority?.file ?? identity.certificate]
            + ["--tls-auth-clients", clientAuthority == nil ? "no" : "yes"]
        // Another process may take the free port before the server does.
        var attempt = 1
        while true {
            let port = try Nginx.freePort()
            let arguments = ["--port", "0", "--tls-port", "\(port)"] + tls + common
            do {
                process = Lock(try Self.start(kind, arguments))
                (self.port, self.arguments) = (port, arguments)
                return
            } catch {
                guard attempt < 5 else { throw error }
                attempt += 1
            }
        }
    }

    private static func start(_ kind: Kind, _ arguments: [String]) throws -> ChildProcess {
        let process = try ChildProcess(kind.program, arguments)
        _ = try process.waitForLine(containing: "eady to accept connections")
        return process
    }

    /// Runs a command as an administrator, by its own client.
    ///
    /// - Returns: what it prints.
    @discardableResult
    package func command(_ words: String...) throws -> String { try command(words) }

    @discardableResult
    package func command(_ words: [String]) throws -> String {
        try ChildProcess.run(kind.client, ["-e", "-s", socket] + words).trimmingASCIIWhitespace()
    }

    /// Stops it in the middle of what it does. Its sockets stay open.
    package func pause() { process.withLock { $0.stop() } }

    package func resume() { process.withLock { $0.signal(SIGCONT) } }

    /// Kills it, and waits until its sockets are closed.
    package func kill() {
        process.withLock { process in
            process.signal(SIGKILL)
            // That it was killed is no news.
            _ = try? process.waitForExit()
        }
    }

    /// Starts it again after `kill`: empty, at the same address.
    package func restart() throws {
        try process.withLock { $0 = try Self.start(kind, arguments) }
    }
}
