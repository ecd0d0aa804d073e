import Platform

/// A KMS on a loopback port of this process (spec page 04). Any number of them can run at once; all members may be used
/// from any thread.
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
        /// 0 takes a free port.
        package var port: UInt16
        /// The delay of every answer.
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

        package init(
            seed: Seed = .demo, usesTLS: Bool = true, port: UInt16 = 0, latency: Duration = .zero,
            jitter: Duration = .zero, throttlePerSecond: Int? = nil, faults: [Fault] = [],
            clock: any TimeSource = SystemClock(), random: @escaping @Sendable () -> Double = { .random(in: 0..<1) }
        ) {
            self.seed = seed
            self.usesTLS = usesTLS
            self.port = port
            self.latency = latency
            self.jitter = jitter
            self.throttlePerSecond = throttlePerSecond
            self.faults = faults
            self.clock = clock
            self.random = random
        }
    }

    /// The base URL, as `https://127.0.0.1:43210`.
    package let endpoint: String
    package let port: UInt16
    /// The PEM of the authority that a client must trust; nil over plain HTTP.
    package let certificatePEM: String?
    /// The same in a file that only this user can read; it is removed by `stop`.
    package var certificateFile: String? { file?.path }

    private let file: PrivateFile?
    private let core: EmulatorCore
    private let server: Server

    /// Starts to serve.
    ///
    /// - Throws: `PlatformError` when the port is taken or the system refuses a socket or a thread, and errors with a
    ///   readable description when the certificate can't be made or libmicrohttpd does not start.
    package init(_ configuration: Configuration = Configuration()) throws {
        core = EmulatorCore(configuration)
        let certificate = configuration.usesTLS ? try ServerCertificate() : nil
        server = try Server(core: core, certificate: certificate, port: configuration.port)
        do {
            file = try certificate.map { try PrivateFile(name: "ca.pem", contents: $0.authorityPEM) }
        } catch {
            server.stop()
            throw error
        }
        port = server.port
        certificatePEM = certificate?.authorityPEM
        endpoint = "\(configuration.usesTLS ? "https" : "http")://127.0.0.1:\(server.port)"
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
    /// requests, else behind the answer that is under way.
    package func closeIdleConnections() { core.closeIdleConnections() }

    /// Counters to zero; faults and throttle as they were at the start. The seed stays.
    package func reset() { core.reset() }
}
