import KMSPlatform

/// How processes share their state: which engine, and how it is spoken to.
public struct SharedStateConfiguration: Sendable {
    /// What the engine is told for the user's name.
    public enum Password: Sendable {
        /// The engine has none.
        case none
        /// The password itself.
        case text(SecretBytes)
        /// The file's content, without one line end after it. It is read for each connection, so it may change.
        case file(path: String)
    }

    /// 1 to 10,000 ms.
    public static let commandTimeoutRange: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(10_000)
    /// 100 ms.
    public static let defaultCommandTimeout = Duration.milliseconds(100)
    /// `default`, the user of an engine whose access list was never changed.
    public static let defaultUser = "default"

    /// Where the engine listens.
    public let address: EngineAddress
    /// A name in the engine's access list.
    public let user: String
    /// The password of the user.
    public let password: Password
    /// The certificate authorities to trust instead of the system's; for TLS.
    public let caFile: CertificateFile?
    /// The path of the client's certificate in PEM form, read for each connection; for TLS.
    public let clientCertificate: String?
    /// The path of the private key of the client's certificate, in PEM form and without a password.
    public let clientKey: String?
    /// How long the engine may take to answer a command. Connecting may take one second.
    public let commandTimeout: Duration

    /// A configuration; the values that are left out have their defaults.
    ///
    /// - Parameters:
    ///   - address: where the engine listens.
    ///   - allowsPlaintext: whether it may be another machine that is reached without TLS: who can change what passes
    ///     between them can change the shared state.
    ///   - user: a name in the engine's access list.
    ///   - password: the password of the user.
    ///   - caFile: the certificate authorities to trust instead of the system's; for TLS.
    ///   - clientCertificate: the path of the client's certificate in PEM form; for TLS. With `clientKey`.
    ///   - clientKey: the path of its private key in PEM form, without a password. With `clientCertificate`.
    ///   - commandTimeout: how long the engine may take to answer a command, 1 to 10,000 ms.
    /// - Throws: `InvalidValue`, named after the parameter whose value can't be used.
    public init(
        address: EngineAddress, allowsPlaintext: Bool = false, user: String = defaultUser,
        password: Password = .none, caFile: CertificateFile? = nil, clientCertificate: String? = nil,
        clientKey: String? = nil, commandTimeout: Duration = defaultCommandTimeout
    ) throws(InvalidValue) {
        guard allowsPlaintext || !address.isPlaintextToAnotherMachine else {
            throw InvalidValue(
                "address", "must be rediss://…: without TLS only this machine itself (127.0.0.0/8, ::1, localhost)")
        }
        guard !user.isEmpty, user.hasOnly({ $0 > 0x20 && $0 != 0x7F }) else {
            throw InvalidValue("user", "must be a name without spaces and control characters")
        }
        guard (clientCertificate == nil) == (clientKey == nil) else {
            throw InvalidValue("clientKey", "must be given together with clientCertificate")
        }
        guard Self.commandTimeoutRange.contains(commandTimeout) else {
            throw InvalidValue("commandTimeout", "must be from 1 to 10,000 milliseconds")
        }
        self.address = address
        self.user = user
        self.password = password
        self.caFile = caFile
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.commandTimeout = commandTimeout
    }
}
