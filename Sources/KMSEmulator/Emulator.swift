import KMSPlatform

/// A KMS in this process, on a loopback port by default. Any number of them can run at once; all members may be used from
/// any thread.
///
/// A request passes through these types:
///
/// 1. `Server`: libmicrohttpd accepts the connection and reads HTTP.
/// 2. `Exchange`: the request's head, body and answer on its connection; `Route` says where its path leads.
/// 3. `EmulatorCore` counts and records it, and `FaultPlan` decides which faults it meets.
/// 4. `KeyService` answers it: `Authenticator` finds the caller, then come permission, key and throttle. Requests to the
///    metadata service go to `ServerRole`, those of tests to `Control`.
/// 5. `Exchange` waits in `Suspensions` if the answer is delayed, then sends it, another one, or a `FaultyBody`.
///
/// ```swift
/// let emulator = try Emulator(Emulator.Configuration(faults: [Fault(parsing: "status=503,count=2")]))
/// defer { emulator.stop() }
/// // … requests to emulator.endpoint, trusting emulator.certificateFile …
/// #expect(emulator.state.perKey["demo-rsa"] == 3)
/// ```
package final class Emulator: Sendable {
    /// The version of the library and of the program `ncloud-kms-emulator`.
    package static let version = "0.1.0"

    package struct Configuration: Sendable {
        package var seed: Seed
        /// TLS with a certificate made at start; else plain HTTP.
        package var usesTLS: Bool
        package var address: IPAddress
        /// 0 takes a free port.
        package var port: UInt16
        /// Names in the certificate besides those of the loopback interface and the addresses that the emulator listens on.
        package var names: [SubjectName]
        /// Where the authority's certificate is written, and stays; nil makes a temporary file.
        package var certificatePath: String?
        /// Whether it is also the metadata service of a VPC server, with the seed's role.
        package var servesMetadata: Bool
        /// The delay of every answer except those to control requests.
        package var latency: Duration
        /// The largest delay that is added to the latency; uniformly distributed.
        package var jitter: Duration
        /// Requests per second for each key; nil: no limit.
        package var throttlePerSecond: Int?
        package var faults: [Fault]
        /// For the check of timestamps, for `Date` and for the throttle; latency and pauses take real time.
        package var clock: any TimeSource
        /// Returns random numbers in [0, 1) for jitter and for the rates of faults. Called under a lock; must not block.
        package var random: @Sendable () -> Double
        /// Replaces `random` and determines the ids of answers, so that the same requests get the same answers again.
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

    /// The base URL for this machine, as `https://127.0.0.1:43210`.
    package let endpoint: String
    package let port: UInt16
    /// The PEM of the authority that a client must trust; nil for plain HTTP.
    package let certificatePEM: String?
    /// The path of a file with that PEM. Only this user can read a temporary one, which `stop` removes.
    package var certificateFile: String? { file?.path }

    private let file: CertificateFile?
    private let core: EmulatorCore
    private let server: Server

    /// Starts to serve.
    ///
    /// - Throws: `PlatformError` if the port is taken, the address is not one of this machine, the system refuses a socket
    ///   or a thread, or the authority's file can't be written; `CertificateFile.NoTemporaryFolder`; and errors with a
    ///   readable description if the certificate can't be made or libmicrohttpd does not start.
    package init(_ configuration: Configuration = Configuration()) throws {
        core = EmulatorCore(configuration)
        let address = configuration.address
        let names = (SubjectName.names(listeningOn: address) + configuration.names).unique
        let certificate = configuration.usesTLS ? try ServerCertificate(names: names) : nil
        server = try Server(
            core: core, certificate: certificate, address: address, port: configuration.port,
            requestIDs: RequestIDs(seed: configuration.randomSeed))
        // After the server has started, so that a client that waits for the file can connect.
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

    /// Ends all connections and the server's threads; requests under way are cut off. May be called again.
    package func stop() {
        server.stop()
        file?.remove()
    }

    package var state: EmulatorState { core.state }

    /// Waits until a condition holds for the state.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    package func waitForState(_ isReached: (EmulatorState) -> Bool) async throws {
        for await state in core.states where isReached(state) { return }
        throw CancellationError()
    }

    /// Replaces keys, tokens, access keys and role for all requests that begin from now on.
    package func setSeed(_ seed: Seed) { core.setSeed(seed) }

    /// Replaces all faults.
    package func setFaults(_ faults: [Fault]) { core.setFaults(faults) }

    /// - Parameter requestsPerSecond: for each key; nil lifts the limit.
    package func setThrottle(requestsPerSecond: Int?) { core.setThrottle(requestsPerSecond: requestsPerSecond) }

    /// Closes every connection in good order, as a server does with idle ones: at once if it is between two requests, else
    /// after the answer that is under way.
    package func closeIdleConnections() { core.closeIdleConnections() }

    /// Sets the counters to zero and forgets the recorded requests; faults, dice and throttle are as at the start. The seed
    /// stays.
    package func reset() { core.reset() }
}
