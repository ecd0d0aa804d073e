import KMSEmulator
import KMSPlatform
import NCloudKMS

/// An emulator of the Key Management Service inside the test process. It listens on a free port of the loopback
/// interface, checks signatures like the real service, serves the keys that you pass, and fails on demand.
///
/// ```swift
/// let kms = try EmulatedKMS(keys: [EmulatedKey("my-key", .ecdsa, publicKeyPEM: pem)])
/// defer { kms.stop() }
/// let client = try KMSClient(kms.configuration())
///
/// kms.setFaults([try EmulatedFault("status=503,count=1")])
/// let answer = try await client.publicKey(for: KeyTag("my-key"))
/// #expect(answer.attempts == 2)
/// ```
///
/// Any number of emulators can run at once. You may use all members from any thread; none blocks.
public final class EmulatedKMS: Sendable {
    /// Why an emulator can't start: the system has no port, thread or temporary folder left.
    public struct StartError: Error, Hashable, CustomStringConvertible {
        /// The reason, as a sentence.
        public let description: String
    }

    /// Where it listens: `https` on the loopback interface, or `http` without TLS.
    public let endpoint: Endpoint
    /// The key pair to sign requests with.
    public let credentials: Credentials
    private let emulator: Emulator

    /// Starts an emulator.
    ///
    /// - Parameters:
    ///   - keys: the keys that it serves; by default the demo keys `demo-rsa` (versions 1 to 3, of which 2 is disabled), `demo-ec`
    ///     and `demo-aes`.
    ///   - faults: the faults at the start.
    ///   - usesTLS: whether it uses TLS, with a certificate made at the start, instead of plain HTTP.
    ///   - throttlePerSecond: the maximum requests per second for each key, beyond which it answers 429; nil for no
    ///     limit.
    ///   - latency: the delay of every answer.
    public init(
        keys: [EmulatedKey] = EmulatedKey.demo, faults: [EmulatedFault] = [], usesTLS: Bool = true,
        throttlePerSecond: Int? = nil, latency: Duration = .zero
    ) throws(StartError) {
        let access = Seed.AccessKey.demo
        do {
            emulator = try Emulator(
                Emulator.Configuration(
                    seed: Seed(accessKeys: [access], keys: keys.map(\.key)), usesTLS: usesTLS, latency: latency,
                    throttlePerSecond: throttlePerSecond, faults: faults.map(\.fault)))
            endpoint = try Endpoint(emulator.endpoint)
            credentials = try Credentials(accessKeyID: access.id, secretAccessKey: SecretBytes(access.secret))
        } catch {
            throw StartError(description: "the emulator can't start: \(error)")
        }
    }

    /// Closes all connections, including those with a request in progress. Releasing the emulator does the same.
    public func stop() { emulator.stop() }

    // MARK: For clients

    /// The configuration of a client for this emulator.
    ///
    /// - Parameters:
    ///   - cacheTimeToLive: with zero, every call sends a request.
    ///   - staleIfError: how long an expired key may still be used if the emulator fails; zero for never.
    ///   - maximumAttempts: the maximum number of attempts for each call.
    /// - Throws: `InvalidValue`, named after the parameter that is out of its range.
    public func configuration(
        cacheTimeToLive: Duration = KMSClientConfiguration.defaultCacheTimeToLive,
        staleIfError: Duration = KMSClientConfiguration.defaultStaleIfError,
        maximumAttempts: Int = KMSClientConfiguration.defaultMaximumAttempts
    ) throws(InvalidValue) -> KMSClientConfiguration {
        try KMSClientConfiguration(
            endpoint: endpoint, authentication: .credentials(credentials), cacheTimeToLive: cacheTimeToLive,
            staleIfError: staleIfError, ratePerKey: 0, maximumAttempts: maximumAttempts,
            caFile: emulator.certificateFile.map { CertificateFile(path: $0) })
    }

    /// The environment variables with which `KMSClientConfiguration(environment:)`, or a program that you start, finds this
    /// emulator.
    public var environment: [String: String] {
        let access = Seed.AccessKey.demo
        var variables = [
            "NCLOUD_KMS_ENDPOINT": emulator.endpoint, "NCLOUD_ACCESS_KEY_ID": access.id,
            "NCLOUD_SECRET_ACCESS_KEY": access.secret,
        ]
        variables["NCLOUD_KMS_CA_FILE"] = emulator.certificateFile
        return variables
    }

    // MARK: For tests

    /// Replaces all keys, for requests that begin from now on: to rotate, disable or remove one.
    public func setKeys(_ keys: [EmulatedKey]) {
        emulator.setSeed(Seed(accessKeys: [.demo], keys: keys.map(\.key)))
    }

    /// Replaces all faults.
    public func setFaults(_ faults: [EmulatedFault]) { emulator.setFaults(faults.map(\.fault)) }

    /// Limits the requests per second for each key; nil lifts the limit.
    public func setThrottle(requestsPerSecond: Int?) { emulator.setThrottle(requestsPerSecond: requestsPerSecond) }

    /// Closes idle connections, as a server may do at any time.
    public func closeIdleConnections() { emulator.closeIdleConnections() }

    /// Clears the recorded requests, and restores the faults and the throttle of the start. The keys stay.
    public func reset() { emulator.reset() }

    /// The last 1,000 requests, oldest first.
    public var requests: [RecordedRequest] { emulator.requests.map(RecordedRequest.init) }

    /// Waits until the number of requests since the start, or since the last `reset`, has reached a count.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public func waitForRequests(_ count: Int) async throws {
        try await emulator.waitForState { $0.total >= count }
    }
}

/// A request as it arrived at an emulator.
public struct RecordedRequest: Hashable, Sendable {
    /// 1 for the first request; increases in the order of arrival.
    public let number: Int
    /// `POST`.
    public let method: String
    /// Path and query: `/kms/v1/keys/TAG/get-pub-key`.
    public let path: String
    /// Names are in lower case; values that authenticate the request are `<redacted>`.
    public let headers: [String: String]
    /// The body as text; nil until it has arrived.
    public let body: String?
    /// The status of the answer; nil until there is one.
    public let status: Int?
    /// The fault that it triggered, in the syntax of `EmulatedFault`; nil if there was none.
    public let fault: String?

    init(_ record: Recorder.Record) {
        number = record.number
        method = record.method
        path = record.target
        headers = Dictionary(record.headers.fields.map { ($0.name, $0.value) }) { first, _ in first }
        body = record.body.map { String(decoding: $0, as: UTF8.self) }
        status = record.status
        fault = record.faultSummary
    }
}
