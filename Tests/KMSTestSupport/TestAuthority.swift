/// A certificate authority for one test, made by the openssl command, and the server certificates that it signs.
package final class TestAuthority: Sendable {
    private static let openssl = "/usr/bin/openssl"

    private let directory: TemporaryDirectory

    /// The PEM file to trust.
    package var file: String { directory.path("authority.pem") }

    /// - Parameter days: how long its own certificate is valid from now; negative: how long ago its validity ended.
    package init(days: Int = 30) throws {
        directory = try TemporaryDirectory()
        let (key, request) = (directory.path("authority.key"), directory.path("authority.csr"))
        try directory.write("basicConstraints=critical,CA:true\nsubjectKeyIdentifier=hash\n", to: "authority.ext")
        try ChildProcess.run(
            Self.openssl,
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
                + ["-subj", "/CN=test authority", "-keyout", key, "-out", request])
        try ChildProcess.run(
            Self.openssl,
            ["x509", "-req", "-in", request, "-signkey", key, "-days", "\(days)"]
                + ["-extfile", directory.path("authority.ext"), "-out", file])
    }

    /// The same certificate in binary form.
    package func makeDERFile() throws -> String {
        let path = directory.path("authority.der")
        try ChildProcess.run(Self.openssl, ["x509", "-in", file, "-outform", "DER", "-out", path])
        return path
    }

    /// A server's certificate and private key in PEM files.
    package struct Identity: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// Makes a certificate.
    ///
    /// - Parameters:
    ///   - name: of the files, and the common name of the certificate; a certificate of its own for each.
    ///   - subjects: its alternative names, as openssl writes them: `IP:127.0.0.1`, `DNS:localhost`; nil for none.
    ///   - days: how long it is valid from now; negative: how long ago its validity ended.
    ///   - isSelfSigned: signed with its own key instead of the authority's.
    package func makeIdentity(
        _ name: String = "server", subjects: String? = "IP:127.0.0.1,DNS:localhost", days: Int = 30,
        isSelfSigned: Bool = false
    ) throws -> Identity {
        let identity = Identity(certificate: directory.path("\(name).pem"), key: directory.path("\(name).key"))
        let request = directory.path("\(name).csr")
        let alternativeNames = subjects.map { "subjectAltName=\($0)\n" } ?? ""
        try directory.write("\(alternativeNames)basicConstraints=CA:false\n", to: "\(name).ext")
        try ChildProcess.run(
            Self.openssl,
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)"]
                + ["-keyout", identity.key, "-out", request])
        let signer =
            isSelfSigned
            ? ["-signkey", identity.key]
            : ["-CA", file, "-CAkey", directory.path("authority.key"), "-set_serial", "\(name.utf8.count + 1)"]
        try ChildProcess.run(
            Self.openssl,
            ["x509", "-req", "-in", request, "-days", "\(days)", "-extfile", directory.path("\(name).ext")]
                + ["-out", identity.certificate] + signer)
        return identity
    }

    /// Starts `openssl s_server` on a free loopback port: it answers a GET with a page, status 200.
    ///
    /// - Parameter options: more of its options, such as the versions of TLS.
    package static func startServer(_ identity: Identity, options: [String] = []) throws -> (ChildProcess, port: UInt16)
    {
        let server = try ChildProcess(
            openssl,
            ["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", identity.certificate, "-key", identity.key]
                + options)
        let line = try server.waitForLine(containing: "ACCEPT")
        guard let port = line.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw ChildProcess.Failure(description: "openssl s_server does not say its port: \(line)")
        }
        return (server, port)
    }
}
