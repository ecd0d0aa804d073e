import KMSPlatform
import KMSTestSupport
import Testing

@testable import NCloudKMS

@Suite struct CertificateAuthoritiesTests {
    private let folder: TemporaryDirectory
    private let pem: String

    private static let sharedAuthority = Result { try TestAuthority() }

    init() throws {
        folder = try TemporaryDirectory()
        pem = String(decoding: try FileContents.of(Self.sharedAuthority.get().file), as: UTF8.self)
    }

    private func authorities(_ path: String) -> CertificateAuthorities {
        CertificateAuthorities(file: CertificateFile(path: path, name: "A_VARIABLE"), system: SystemAuthorities())
    }

    /// "store", "folder" or what is wrong.
    private func words(_ trust: CertificateAuthorities.Trust) -> String {
        switch trust {
        case .store: "store"
        case .folder(let path): "folder \(path)"
        case .unusable(let problem): problem.text
        }
    }

    private func store(_ authorities: CertificateAuthorities) throws -> TrustStore {
        let trust = authorities.current()
        guard case .store(let store) = trust else { return try #require(nil, "\(words(trust))") }
        return store
    }

    @Test func `what OpenSSL reads is read, and a byte order mark does no harm`() throws {
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
        let trusted = pem.replacing("CERTIFICATE", with: "TRUSTED CERTIFICATE")
        for text in [
            pem, "\u{FEFF}\(pem)", pem.replacing("\n", with: "\r\n"), "# a comment\n\n\(pem)", pem + pem,
            key + pem, String(pem.dropLast()), "\(pem)text behind it", trusted,
        ] {
            try folder.write(text, to: "ca.pem")
            #expect(words(authorities(folder.path("ca.pem")).current()) == "store", "\(text)")
        }
    }

    @Test func `what can't be used says what is wrong and names the variable`() throws {
        let damaged = pem.replacing("MII", with: "XII").replacing("BEGIN XII", with: "BEGIN MII")
        let rows = [
            ("", "is empty"), ("no certificate\n", "contains no certificate in PEM form"),
            ("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", "contains no certificate in PEM form"),
            (
                "\(pem)-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "certificate that can't be parsed"
            ),
            (damaged == pem ? String(pem.prefix(100)) : damaged, "can't be parsed"),
            (String(pem.prefix(200)), "can't be parsed"),
        ]
        for (text, problem) in rows {
            try folder.write(text, to: "ca.pem")
            let told = words(authorities(folder.path("ca.pem")).current())
            #expect(told.contains(problem) && told.contains("A_VARIABLE"), "\(told)")
        }
    }

    @Test func `a certificate in binary form comes with the command that converts it`() throws {
        let file = try Self.sharedAuthority.get().makeDERFile()
        let told = words(authorities(file).current())
        #expect(told.contains("openssl x509 -inform DER -in \(file)"), "\(told)")
    }

    @Test func `a pipe is refused without being waited for, and so is a folder`() throws {
        let pipe = folder.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(words(authorities(pipe).current()).contains("must be a regular file"))
        #expect(words(authorities(folder.path).current()).contains("is a directory"))
    }

    @Test func `a file is read once, and again when it has changed, come or gone`() throws {
        let path = folder.path("ca.pem")
        let authorities = authorities(path)
        #expect(words(authorities.current()).contains("No such file"))
        try folder.write(pem, to: "ca.pem")
        let first = try store(authorities)
        let generation = authorities.generation
        #expect(try store(authorities) === first)
        #expect(authorities.generation == generation)

        try folder.write("\(pem)\n", to: "ca.pem")
        let second = try store(authorities)
        #expect(second !== first)
        // What libcurl tells connections by differs with anything in the file.
        #expect(second.label != first.label)
        #expect(authorities.generation != generation)

        try folder.write("", to: "ca.pem")
        #expect(words(authorities.current()).contains("is empty"))
        #expect(unlink(path) == 0)
        #expect(words(authorities.current()).contains("No such file"))
    }

    @Test func `a file as large as the limit is read, and a larger one refused once for each change`() throws {
        let path = folder.path("ca.pem")
        let filler = String(repeating: "#", count: (1 << 20) - pem.utf8.count - 1) + "\n"
        try folder.write(filler + pem, to: "ca.pem")
        let authorities = authorities(path)
        let first = try store(authorities)
        try folder.write("\n\(filler)\(pem)", to: "ca.pem")
        #expect(words(authorities.current()).contains("is larger than 1 MiB; correct the file"))
        let generation = authorities.generation
        #expect(words(authorities.current()).contains("is larger than 1 MiB"))
        // It was not read again.
        #expect(authorities.generation == generation)
        try folder.write(pem, to: "ca.pem")
        #expect(try store(authorities) !== first)
    }

    @Test func `what is wrong comes with what can be done about it`() throws {
        try folder.write("", to: "ca.pem")
        #expect(words(authorities(folder.path("ca.pem")).current()).contains("is empty; correct the file"))
        let nothing = CertificateAuthorities(file: nil, system: SystemAuthorities())
        let told = words(nothing.current())
        #expect(told.contains("install them (ca-certificates)") && !told.contains("correct the file"), "\(told)")
    }

    @Test func `without a file it is the system's folder alone, or its bundle where the folder has no hashes`() throws {
        try folder.write(pem, to: "bundle.pem")
        let system = SystemAuthorities(folder: folder.path, file: folder.path("bundle.pem"))
        func current() -> String { words(CertificateAuthorities(file: nil, system: system).current()) }
        #expect(current() == "store")
        for name in ["5ed36f9.0", "5ed36f99.r0", "5ed36f99_0", "5ed36g99.0"] { try folder.write(pem, to: name) }
        #expect(current() == "store")
        try folder.write(pem, to: "5ed36f99.0")
        #expect(current() == "folder \(folder.path)")
        let nothing = CertificateAuthorities(file: nil, system: SystemAuthorities(folder: "/nonexistent", file: nil))
        #expect(words(nothing.current()).contains("no certificate authorities"))
    }
}
