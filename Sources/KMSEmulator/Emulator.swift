import CKMSMicrohttpd
import CKMSOpenSSL
import KMSPlatform

/// A KMS emulator in this process, by default on a loopback port. Several can run at the same time; all members may be
/// used from any thread.
///
/// The terms of this module:
/// - seed: the access keys, tokens, keys and role that an emulator serves
/// - fault: an effect (what goes wrong) and a trigger (for which requests)
/// - control request: a test's request under `/_emulator/`
/// - exchange: one request and its answer on a connection
/// - plan: what is decided about a request when its headers arrive: faults and delay
/// - throttle: the limit of requests per second for each key
/// - authority: the certificate authority that clients must trust
/// - server role: what the metadata service of a VPC server provides credentials for
///
/// A request passes through these types:
///
/// 1. `Server`: libmicrohttpd accepts the connection and parses HTTP.
/// 2. `Exchange`: the request's head, body and answer on its connection; `Route` is where its path leads.
/// 3. `EmulatorCore` counts and records the request, and `FaultPlan` decides which faults it triggers.
/// 4. `KeyService` answers it: `Authenticator` finds the caller, then permission, key and throttle are checked.
///    Requests to the metadata service go to `ServerRole`, control requests to `Control`.
/// 5. `Exchange` waits in `Suspensions` if the answer is delayed, then sends it, or another answer, or a `FaultyBody`.
///
/// ```swift
/// let emulator = try Emulator(Emulator.Configuration(faults: [Fault(parsing: "status=503,count=2")]))
/// defer { emulator.stop() }
/// // … requests to emulator.endpoint, trusting emulator.certificateFile …
/// #expect(emulator.state.perKey["demo-rsa"] == 3)
/// ```
package final class Emulator: Sendable {
    /// The loaded libraries, each with its version.
    package static var libraryVersions: [String] {
        [
            "libmicrohttpd \(String(cString: MHD_get_version()))",
            "OpenSSL \(String(cString: OpenSSL_version(OPENSSL_VERSION_STRING)))",
        ]
    }

    package struct Configuration: Sendable {
        package var seed: Seed
        /// TLS with a certificate that is made at the start; otherwise plain HTTP.
        package var usesTLS: Bool
        package var address: IPAddress
        /// 0 picks a free port.
        package var port: UInt16
        /// Further names for the certificate, in addition to those of the loopback interface and the addresses that the
        /// emulator listens on.
        package var names: [SubjectName]
        /// The file for the authority's certificate, which is not removed; nil creates a temporary file.
        package var certificatePath: String?
        /// Whether it also acts as the metadata service of a VPC server, with the seed's role.
        package var servesMetadata: Bool
        /// The delay of every answer except those to control requests.
        package var latency: Duration
        /// The maximum random delay in addition to the latency; uniformly distributed.
        package var jitter: Duration
        /// The limit for each key; nil for no limit.
        package var throttlePerSecond: Int?
        package var faults: [Fault]
        /// The clock for timestamp checks, `Date` and the throttle; latency and pauses take real time.
        package var clock: any TimeSource
        /// Returns random numbers in [0, 1) for jitter and for faults with a rate. Called with a lock held; must not
        /// block.
        package var random: @Sendable () -> Double
        /// Replaces `random` and determines the request ids, so that the same requests get the same answers again.
        package var randomSeed: UInt64?

        package init(
            seed: Seed = .demo, usesTLS: Bool = true, address: IPAddress = .loopback, port: UInt16 = 0,
            names: [SubjectName] = [], certificatePath: String? = nil, servesMetadata: Bool = false,
            latency: Duration = .zero, jitter: Duration = .zero, throttlePerSecond: Int? = nil, faults: [Fault] = [],
            clock: any TimeSource = SystemClock(), random: @escaping @Sendable () -> Double = { .random(in: 0..<1) },
            randomSeed: UInt64? = nil
        ) {
            self.seed = seed
            self.usesTLS = usesTLS
            self.address = address
            self.port = port
            self.names = names
            self.certificatePath = certificatePath
            self.servesMetadata = servesMetadata
            self.latency = latency
            self.jitter = jitter
            self.throttlePerSecond = throttlePerSecond
            self.faults = faults
            self.clock = clock
            self.random = random
            self.randomSeed = randomSeed
        }

        var dice: Dice { randomSeed.map { Dice(seed: $0) } ?? Dice(random) }
    }

    /// The base URL on this machine, such as `https://127.0.0.1:43210`.
    package let endpoint: String
    package let port: UInt16
    /// The certificate of the authority that a client must trust, as PEM; nil for plain HTTP.
    package let certificatePEM: String?
    /// The path of a file with that PEM. Only this user can read a temporary file, and `stop` removes it.
    package var certificateFile: String? { file?.path }

    private let file: CertificateFile?
    private let core: EmulatorCore
    private let server: Server

    /// Starts the server.
    ///
    /// - Throws: `PlatformError` if the port is taken, the address does not belong to this machine, the system refuses
    ///   a socket or a thread, or the authority's file can't be written; `CertificateFile.NoTemporaryFolder`; other
    ///   errors, with a readable description, if the certificate can't be made or libmicrohttpd does not start.
    package init(_ configuration: Configuration = Configuration()) throws {
        core = EmulatorCore(configuration)
        let address = configuration.address
        let names = (SubjectName.names(listeningOn: address) + configuration.names).unique
        let certificate = configuration.usesTLS ? try ServerCertificate(names: names) : nil
        server = try Server(
            core: core, certificate: certificate, address: address, port: configuration.port,
            requestIDs: RequestIDs(seed: configuration.randomSeed))
        // Only after the server has started, so that a client that waits for the file can connect.
        do {
            file = try certificate.map { certificate in
                if let path = configuration.certificatePath {
                    try CertificateFile(publishing: certificate.authorityPEM, at: path)
                } else {
                    try CertificateFile(temporary: certificate.authorityPEM)
                }
            }
        } catch {
            server.stop()
            throw error
        }
        port = server.port
        certificatePEM = certificate?.authorityPEM
        let host: IPAddress = address.isUnspecified ? (address.isIPv6 ? .loopback6 : .loopback) : address
        endpoint = "\(configuration.usesTLS ? "https" : "http")://\(host.urlHost):\(server.port)"
    }

    deinit { stop() }

    /// Closes all connections and ends the server's threads; current requests are cut off. Calling it again has no
    /// effect.
    package func stop() {
        server.stop()
        file?.remove()
    }

    package var state: EmulatorState { core.state }

    /// The last requests, the oldest first.
    package var requests: [Recorder.Record] { core.recorder.records(since: 0) }

    /// Those of them after this number.
    package func requests(since number: Int) -> [Recorder.Record] { core.recorder.records(since: number) }

    /// Waits until the state fulfils a condition.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    package func waitForState(_ isReached: (EmulatorState) -> Bool) async throws {
        for await state in core.states where isReached(state) { return }
        throw CancellationError()
    }

    /// Replaces keys, tokens, access keys and role for all requests that begin afterwards.
    package func setSeed(_ seed: Seed) { core.setSeed(seed) }

    /// Replaces all faults.
    package func setFaults(_ faults: [Fault]) { core.setFaults(faults) }

    /// - Parameter requestsPerSecond: for each key; nil removes the limit.
    package func setThrottle(requestsPerSecond: Int?) { core.setThrottle(requestsPerSecond: requestsPerSecond) }

    /// Closes every connection gracefully, the way a server closes idle ones: at once if it is idle, otherwise after
    /// the current answer.
    package func closeIdleConnections() { core.closeIdleConnections() }

    /// Resets the counters, the recorded requests, faults, dice and throttle to their state at the start. The seed
    /// stays.
    package func reset() { core.reset() }
}
