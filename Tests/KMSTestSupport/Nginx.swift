import KMSPlatform

/// An nginx for one test on a free loopback port, which writes to a temporary folder only.
package final class Nginx: Sendable {
    package static let program = "/usr/sbin/nginx"

    package let port: UInt16
    private let process: ChildProcess
    private let directory: TemporaryDirectory

    /// - Parameters:
    ///   - identity: for TLS; nil: plain HTTP.
    ///   - host: its IPv4 address, of this machine.
    ///   - server: the directives of its `server` block except `listen`.
    package init(identity: TestAuthority.Identity? = nil, host: String = "127.0.0.1", server: String) throws {
        let directory = try TemporaryDirectory()
        self.directory = directory
        let configuration = { Self.configuration(host, port: $0, identity, server, directory.path) }
        // Another process may take the free port before nginx does.
        var attempt = 1
        while true {
            let port = try Self.freePort()
            try directory.write(configuration(port), to: "nginx.conf")
            let process = try ChildProcess(Self.program, ["-p", directory.path, "-c", directory.path("nginx.conf")])
            do {
                // It writes this once it listens.
                _ = try process.waitForLine(containing: "event method")
                (self.port, self.process) = (port, process)
                return
            } catch {
                guard attempt < 5 else { throw error }
                attempt += 1
            }
        }
    }

    private static func configuration(
        _ host: String, port: UInt16, _ identity: TestAuthority.Identity?, _ server: String, _ directory: String
    ) -> String {
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(directory)/\($0);" }.joined(separator: " ")
        let tls = identity.map { "ssl_certificate \($0.certificate); ssl_certificate_key \($0.key);" } ?? ""
        return """
            daemon off;
            master_process off;
            pid \(directory)/nginx.pid;
            error_log stderr notice;
            events { worker_connections 512; }
            http {
                \(folders)
                access_log off;
                server {
                    listen \(host):\(port)\(identity == nil ? "" : " ssl");
                    \(tls)
                    \(server)
                }
            }

            """
    }

    /// A port that was free a moment ago.
    package static func freePort() throws -> UInt16 {
        let responder = try RawResponder([])
        defer { responder.stop() }
        return responder.port
    }
}
