import KMSEmulator
import KMSPlatform

/// A command that the emulator runs as its child; signals and standard streams are passed on.
struct WrappedCommand {
    /// C strings, so that a file name that is not UTF-8 reaches the command unchanged.
    private let arguments: [UnsafeMutablePointer<CChar>]
    private let environment: CommandEnvironment
    private let signals: SignalQueue

    /// - Parameter arguments: the command, which is looked up in `PATH`, and its arguments; not empty. They must stay
    ///   valid until `run` returns.
    init(_ arguments: [UnsafeMutablePointer<CChar>], environment: CommandEnvironment, signals: SignalQueue) {
        self.arguments = arguments
        self.environment = environment
        self.signals = signals
    }

    /// Runs the command until it ends.
    ///
    /// - Returns: the status to exit with: the command's own, 128 + the signal that ended it, or 126 or 127 if it could
    ///   not be started.
    /// - Throws: `PlatformError` if the system does not report how it ended.
    func run() throws(PlatformError) -> Int32 {
        var child: pid_t = 0
        let failure = spawn(&child)
        guard failure == 0 else {
            let name = String(cString: arguments[0])
            StandardError.report("\(name): \(PlatformError.text(of: failure))")
            return failure == ENOENT ? OwnExitStatus.notFound : OwnExitStatus.cannotRun
        }
        while true {
            let delivery = signals.next()
            if delivery.signal == SIGCHLD {
                if let status = try exitStatus(of: child) { return status }
            } else if !delivery.isFromTerminal {
                // Until `waitpid` has reported its end, its process id can't be reused.
                kill(child, delivery.signal)
            }
        }
    }

    private func spawn(_ child: inout pid_t) -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = signals.originalMask
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let additions = environment.additions.map { strdup($0) }
        defer { additions.forEach { free($0) } }
        let argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments + [nil]
        let environmentPointers = inheritedEntries + additions + [nil]
        return posix_spawnp(&child, arguments[0], nil, &attributes, argumentPointers, environmentPointers)
    }

    /// Entries of the process's own environment, byte for byte.
    private var inheritedEntries: [UnsafeMutablePointer<CChar>?] {
        var kept: [UnsafeMutablePointer<CChar>?] = []
        var position = environ
        while let entry = position.pointee {
            if environment.inherits(String(String(cString: entry).prefix { $0 != "=" })) { kept.append(entry) }
            position += 1
        }
        return kept
    }

    /// Nil while the process is running.
    private func exitStatus(of child: pid_t) throws(PlatformError) -> Int32? {
        var status: Int32 = 0
        let ended = waitpid(child, &status, WNOHANG)
        guard ended >= 0 else { throw PlatformError("waitpid") }
        guard ended == child else { return nil }
        // The macros WIFEXITED and WEXITSTATUS are not imported.
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}

/// The environment of the command: the emulator's own, plus the variables that lead a client to the emulator, minus
/// those that would lead it elsewhere.
struct CommandEnvironment {
    private let variables: [String: String]

    /// Variables that would make a client use other credentials, another host or a proxy.
    private static let misleading: Set<String> = [
        "NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY",
        "NCLOUD_KMS_TOKEN", "NCLOUD_KMS_TOKEN_FILE", "NCLOUD_KMS_ZONE", "NCLOUD_KMS_PROXY", "NCLOUD_PROFILE",
        "NCLOUD_CONFIG_FILE", "NCLOUD_METADATA_API_ENDPOINT", "NCLOUD_KMS_CA_FILE",
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    ]

    /// Where other clients look for trusted authorities: OpenSSL itself and Go, Python's `requests`, the `curl`
    /// command, Node.
    private static let trust = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]

    /// How the command gets its credentials.
    enum Credentials {
        case keyPair(Seed.AccessKey)
        /// Only from the metadata service at this base URL.
        case serverRole(endpoint: String)
    }

    /// - Parameter caFile: nil for plain HTTP.
    init(endpoint: String, caFile: String?, credentials: Credentials) {
        var variables = ["NCLOUD_KMS_ENDPOINT": endpoint]
        switch credentials {
        case .keyPair(let accessKey):
            variables["NCLOUD_ACCESS_KEY_ID"] = accessKey.id
            variables["NCLOUD_ACCESS_KEY"] = accessKey.id
            variables["NCLOUD_SECRET_ACCESS_KEY"] = accessKey.secret
            variables["NCLOUD_SECRET_KEY"] = accessKey.secret
        case .serverRole(let endpoint):
            variables["NCLOUD_METADATA_API_ENDPOINT"] = endpoint
            // Otherwise a client would use the user's own profile before it asks for a role.
            variables["NCLOUD_CONFIG_FILE"] = "/dev/null"
        }
        if let caFile {
            for name in Self.trust + ["NCLOUD_KMS_CA_FILE"] { variables[name] = caFile }
        }
        self.variables = variables
    }

    /// Whether the command inherits a variable of the emulator's own environment.
    func inherits(_ name: String) -> Bool { variables[name] == nil && !Self.misleading.contains(name) }

    /// The variables to add, as `NAME=VALUE`.
    var additions: [String] { variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } }
}

/// The signals that the emulator receives one at a time on its main thread, without being interrupted by them.
///
/// The terminal's stop signals (SIGTSTP and others) are not included: they reach the command as well, and stop both.
struct SignalQueue {
    static let terminating = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]
    private static let others = [SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM]

    /// The mask before `init`, which the command gets.
    let originalMask: sigset_t
    private let awaited: sigset_t

    /// Blocks the signals for the calling thread and all threads that it starts later.
    init() {
        var awaited = sigset_t()
        sigemptyset(&awaited)
        // A blocked signal is not ignored, but `nohup` requires that SIGHUP is.
        for signal in Self.terminating + Self.others + [SIGCHLD] where !TerminationSignals.staysIgnored(signal) {
            sigaddset(&awaited, signal)
        }
        // If the reader of our output goes away, `write` fails, and the emulator cleans up.
        var blocked = awaited
        sigaddset(&blocked, SIGPIPE)
        var original = sigset_t()
        pthread_sigmask(SIG_BLOCK, &blocked, &original)
        // If SIGCHLD stayed ignored, the kernel would discard the child's status before we could read it.
        signal(SIGCHLD, SIG_DFL)
        self.awaited = awaited
        originalMask = original
    }

    struct Delivery {
        let signal: Int32
        /// Whether it came from the terminal (Ctrl-C), which sends it to the command as well.
        let isFromTerminal: Bool
    }

    func next() -> Delivery {
        var awaited = awaited
        var info = siginfo_t()
        while true {
            let signal = sigwaitinfo(&awaited, &info)
            if signal > 0 { return Delivery(signal: signal, isFromTerminal: info.si_code == Self.fromKernel) }
        }
    }

    func waitForTermination() {
        while !Self.terminating.contains(next().signal) {}
    }

    /// `SI_KERNEL`.
    private static let fromKernel: Int32 = 0x80
}
