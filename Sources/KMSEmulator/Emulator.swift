import Platform

/// A KMS in this process, on a loopback port unless told otherwise. Any number of them can run at once; all members may be
/// used from any thread.
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
        /// With a certificate made at the start; else plain HTTP.
        package var usesTLS: Bool
        package var address: IPAddress
        /// 0 takes a free port.
        package var port: UInt16
        /// What the certificate names besides the loopback's names and the addresses that the emulator listens on.
        package var names: [SubjectName]
        /// Where the authority's certificate is written, to stay; nil makes a temporary file.
        package var certificatePath: String?
        /// Whether the metadata service of a VPC server is there, too, and gives the seed's role.
        package var servesMetadata: Bool
        /// The delay of every answer, save those to control requests.
        package var latency: Duration
        /// The most that is added to the latency, evenly distributed.
        package var jitter: Duration
        /// Requests a second for each key; nil: no limit.
        package var throttlePerSecond: Int?
        package var faults: [Fault]
        /// For the check of timestamps, for `Date` and for the throttle. Latency and pauses always take real time.
        package var clock: any TimeSource
        /// Random numbers in [0, 1), for jitter and for the rates of faults. Called under a lock; must not block.
        package var random: @Sendable () -> Double
        /// Takes the place of `random`, and makes the ids of answers, so that a run of the same requests is the same again.
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
    /// The PEM of the authority that a client must trust; nil over plain HTTP.
    package let certificatePEM: String?
    /// The same in a file; a temporary one can be read by this user only and is removed by `stop`.
    package var certificateFile: String? { file?.path }

    private let file: CertificateFile?
    private let core: EmulatorCore
    private let server: Server

    /// Starts to serve.
    ///
    /// - Throws: `PlatformError` when the port is taken, the address is not one of this machine, the system refuses a socket
    ///   or a thread, or the authority's file can't be written; `CertificateFile.NoTemporaryFolder`; and errors with a
    ///   readable description when the certificate can't be made or libmicrohttpd does not start.
    package init(_ configuration: Configuration = Configuration()) throws {
        core = EmulatorCore(configuration)
        let address = configuration.address
        let names = (SubjectName.names(listeningOn: address) + configuration.names).unique
        let certificate = configuration.usesTLS ? try ServerCertificate(names: names) : nil
        server = try Server(
            core: core, certificate: certificate, address: address, port: configuration.port,
            requestIDs: RequestIDs(seed: configuration.randomSeed))
        // After the server, so that whoever waits for the file can connect.
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

    /// Ends all connections and the server's threads; requests that are under way are cut off. May be called again.
    package func stop() {
        server.stop()
        file?.remove()
    }

    package var state: EmulatorState { core.state }

    /// Replaces keys, tokens and access keys for all requests that begin from now on.
    package func setSeed(_ seed: Seed) { core.setSeed(seed) }

    /// Replaces all faults; none ends them.
    package func setFaults(_ faults: [Fault]) { core.setFaults(faults) }

    /// - Parameter requestsPerSecond: for each key; nil lifts the limit.
    package func setThrottle(requestsPerSecond: Int?) { core.setThrottle(requestsPerSecond: requestsPerSecond) }

    /// Ends every connection in good order, as a server does after a time of idleness: at once when it is between two
    /// requests, else after the answer that is under way.
    package func closeIdleConnections() { core.closeIdleConnections() }

    /// Counters to zero, no requests recorded; faults, dice and throttle as they were at the start. The seed stays.
    package func reset() { core.reset() }
}
