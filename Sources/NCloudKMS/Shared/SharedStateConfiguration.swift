import KMSPlatform

/// How processes share one budget of requests, and their keys: through which engine, and how to connect to it.
public struct SharedStateConfiguration: Sendable {
    /// The password of the engine's user.
    public enum Password: Sendable {
        /// The engine has none.
        case none
        /// The password itself.
        case text(SecretBytes)
        /// The file's content, without one line end after it. It is read for each connection, so it may change.
        case file(path: String)
    }

    /// Whether keys are shared, besides the budget.
    public enum Keys: String, CaseIterable, Sendable {
        /// They are not.
        case off
        /// The client uses keys that others store, and stores none.
        case read
        /// The client uses keys that others store, and stores its own. Anybody with the same secret access key, token or MAC
        /// secret can then make it accept a forged key, and so forged signatures.
        case on
    }

    /// What messages call the parameters that the engine may refuse: the flags or variables that gave them.
    package struct Names: Sendable {
        package var user = "user"
        package var password = "password"
    }

    /// `nkms`.
    public static let defaultPrefix = "nkms"
    /// 32 bytes.
    public static let minimumMACSecretBytes = 32
    /// 1 to 10,000 ms.
    public static let commandTimeoutRange: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(10_000)
    /// 100 ms.
    public static let defaultCommandTimeout = Duration.milliseconds(100)
    /// `default`, the user of an engine whose access list was never changed.
    public static let defaultUser = "default"

    /// Five seconds: no shared key is used while the clocks of this machine and of the engine differ by more.
    package static let maximumClockDifference = Duration.seconds(5)

    /// Where the engine listens.
    public let address: EngineAddress
    /// Whether keys are shared, besides the budget.
    public let keys: Keys
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
    /// What authenticates shared keys instead of the credentials, so that clients with different credentials share keys.
    public let macSecret: SecretBytes?
    /// How long the engine may take to answer a command. Connecting may take one second; together with the first answers, if
    /// calls wait for it.
    public let commandTimeout: Duration
    /// The beginning of all names in the engine.
    public let prefix: String
    package var names = Names()

    /// A configuration; the values that are left out have their defaults.
    ///
    /// - Parameters:
    ///   - address: where the engine listens.
    ///   - allowsPlaintext: whether it may be another machine that is reached without TLS: who can change what passes
    ///     between them can change the shared state.
    ///   - keys: whether keys are shared, besides the budget.
    ///   - user: a name in the engine's access list.
    ///   - password: the password of the user.
    ///   - caFile: the certificate authorities to trust instead of the system's; for TLS.
    ///   - clientCertificate: the path of the client's certificate in PEM form; for TLS. With `clientKey`.
    ///   - clientKey: the path of its private key in PEM form, without a password. With `clientCertificate`.
    ///   - macSecret: at least 32 random bytes that authenticate shared keys instead of the credentials.
    ///   - commandTimeout: how long the engine may take to answer a command, 1 to 10,000 ms.
    ///   - prefix: the beginning of all names in the engine: 1 to 64 letters, digits, `_`, `-`, `.` and `:`.
    /// - Throws: `InvalidValue`, named after the parameter whose value can't be used.
    public init(
        address: EngineAddress, allowsPlaintext: Bool = false, keys: Keys = .off, user: String = defaultUser,
        password: Password = .none, caFile: CertificateFile? = nil, clientCertificate: String? = nil,
        clientKey: String? = nil, macSecret: SecretBytes? = nil, commandTimeout: Duration = defaultCommandTimeout,
        prefix: String = defaultPrefix
    ) throws(InvalidValue) {
        guard allowsPlaintext || !address.isPlaintextToAnotherMachine else {
            throw InvalidValue(
                "address",
                "must be rediss://…, unless allowsPlaintext: without TLS only this machine itself (127.0.0.0/8, ::1, localhost)"
            )
        }
        guard !user.isEmpty, user.hasOnly({ $0 > 0x20 && $0 != 0x7F }) else {
            throw InvalidValue("user", "must be a name without spaces and control characters")
        }
        guard (clientCertificate == nil) == (clientKey == nil) else {
            throw InvalidValue("clientKey", "must be given together with clientCertificate")
        }
        guard address.usesTLS || (caFile == nil && clientCertificate == nil) else {
            throw InvalidValue(
                caFile == nil ? "clientCertificate" : "caFile",
                "has an effect only with TLS: the address must be rediss://…")
        }
        guard Self.commandTimeoutRange.contains(commandTimeout) else {
            throw InvalidValue("commandTimeout", "must be from 1 to 10,000 milliseconds")
        }
        guard macSecret.map({ $0.count >= Self.minimumMACSecretBytes }) ?? true else {
            throw InvalidValue("macSecret", "must have at least \(Self.minimumMACSecretBytes) bytes")
        }
        guard (1...64).contains(prefix.utf8.count),
            prefix.hasOnly({ $0.isASCIILetterOrDigit || Array("_-.:".utf8).contains($0) })
        else {
            throw InvalidValue("prefix", "must be 1 to 64 letters, digits, _, -, . and :")
        }
        self.address = address
        self.keys = keys
        self.user = user
        self.password = password
        self.caFile = caFile
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.macSecret = macSecret
        self.commandTimeout = commandTimeout
        self.prefix = prefix
    }
}
